import DIGIdentity
import DIGLocalDiscovery
import DIGMultiformats
import Logging
import NIOCore
import NIOPosix
import Testing

/// python-zeroconf on the loopback interface, on the port of every other implementation.
@Suite("python-zeroconf", .serialized, .timeLimit(.minutes(2)))
struct ZeroconfTests {
    private func make(_ peer: PeerID, _ address: Multiaddr) -> LocalDiscovery {
        var configuration = LocalDiscoveryConfiguration()
        configuration.interfaces = .loopback
        return LocalDiscovery(
            identity: peer, addresses: { [address] }, configuration: configuration, group: .singletonMultiThreadedEventLoopGroup,
            logger: Logger(label: "test"))
    }

    @Test("a peer that it announces is found with its addresses, and its goodbye is heard")
    func finds() async throws {
        let theirs = try KeyPair.generate().peerID
        let address = try Multiaddr("/ip4/127.0.0.1/tcp/4001")
        let ours = self.make(try KeyPair.generate().peerID, try Multiaddr("/ip4/127.0.0.1/tcp/4002"))
        let found = ours.findPeers()
        let running = Task { try await ours.run() }
        let peer = try InteropPeer(script: "zeroconf/peer.py", arguments: ["announce", "\(address.withPeerID(theirs))"])
        _ = try await peer.reports(until: "ready")

        var iterator = found.makeAsyncIterator()
        var seen = await iterator.next()
        while let other = seen, other.peer != theirs { seen = await iterator.next() }
        #expect(seen?.addresses.map { $0.removingPeerID() } == [address])

        peer.stop()
        // A peer that left is told of without addresses.
        while let other = await iterator.next(), other.peer != theirs || !other.addresses.isEmpty {}
        #expect(!ours.peers.contains { $0.peer == theirs })
        running.cancel()
        _ = await running.result
    }

    @Test("a peer that it has announced a moment ago is found within a second of our start: it answers our first question by unicast")
    func answersAtOnce() async throws {
        let theirs = try KeyPair.generate().peerID
        let address = try Multiaddr("/ip4/127.0.0.1/tcp/4001")
        let peer = try InteropPeer(script: "zeroconf/peer.py", arguments: ["announce", "\(address.withPeerID(theirs))"])
        _ = try await peer.reports(until: "ready")
        let ours = self.make(try KeyPair.generate().peerID, try Multiaddr("/ip4/127.0.0.1/tcp/4002"))
        let start = ContinuousClock.now
        var found = ours.findPeers().makeAsyncIterator()
        let running = Task { try await ours.run() }
        while let other = await found.next(), other.peer != theirs || other.addresses.isEmpty {}
        #expect(ContinuousClock.now - start < .seconds(1))
        // It is other software: it does not answer for contents.
        #expect(ours.peers.first { $0.peer == theirs }?.answersForContents == false)
        peer.stop()
        running.cancel()
        _ = await running.result
    }

    @Test("it finds us with our address, and hears our goodbye")
    func isFound() async throws {
        let identity = try KeyPair.generate().peerID
        let address = try Multiaddr("/ip4/127.0.0.1/tcp/4002")
        let ours = self.make(identity, address)
        let running = Task { try await ours.run() }
        let peer = try InteropPeer(script: "zeroconf/peer.py", arguments: ["browse"])
        var said = "\(address.withPeerID(identity))"
        for try await report in peer.reports() where report.addresses?.contains(said) == true {
            said = ""
            break
        }
        #expect(said.isEmpty, "found")
        running.cancel()
        _ = await running.result
        #expect(try await peer.reports(until: "removed").last?.event == "removed")
        peer.stop()
    }
}
