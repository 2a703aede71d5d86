import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Foundation
import Logging
import NIOPosix
import Testing

/// One DHT of ours and py-libp2p's (`Interop/py-libp2p/kademlia.py`), on the public network's protocol.
@Suite("py-libp2p: Kademlia", .serialized, .timeLimit(.minutes(3)))
struct KademliaTests {
    private struct Node {
        var identity: KeyPair
        var swarm: Swarm
        var service: KademliaService
        var peer: PeerID { self.identity.peerID }
    }

    private func withNode(_ body: @escaping @Sendable (Node) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let logger = Logger(label: "dig.interop")
        let identity = try KeyPair.generate()
        let swarm = Swarm(identity: identity, transports: [TCPTransport(group: group)], group: group, logger: logger)
        _ = try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
        var configuration = KademliaConfiguration.publicNetwork
        configuration.bootstrapPeers = []
        configuration.allowsPrivateAddresses = true
        configuration.mode = .server
        let service = KademliaService(
            dialer: swarm, router: swarm, identity: identity, configuration: configuration, localAddresses: { swarm.listenAddresses }, logger: logger)
        let result = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await event in swarm.events {
                    guard case .identified(let info) = event else { continue }
                    service.identified(info.peer, protocols: info.protocols, addresses: info.listenAddresses)
                }
            }
            group.addTask { try? await service.run() }
            let result: Result<Void, any Error>
            do { result = .success(try await body(Node(identity: identity, swarm: swarm, service: service))) } catch { result = .failure(error) }
            group.cancelAll()
            return result
        }
        await swarm.shutdown()
        try result.get()
    }

    /// A multihash, as providers are announced under.
    private func multihash(_ byte: UInt8) -> [UInt8] { [0x12, 0x20] + Array(repeating: byte, count: 32) }
    private func hexadecimal(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }

    private func value(_ name: String, of owner: KeyPair) throws -> (key: [UInt8], value: [UInt8]) {
        let key = SignedValue.key(name, of: owner.peerID)
        let expiry = UInt64(Date().timeIntervalSince1970 * 1000) + 3_600_000
        return (key, try SignedValue(owner: owner.peerID, key: key, sequence: 1, expiresAtMilliseconds: expiry, value: [1, 2, 3]).sealed(with: owner))
    }

    private func providers(of key: [UInt8], seenBy node: Node) async -> [FoundProvider] {
        var found: [FoundProvider] = []
        for await provider in node.service.findProviders(of: key) { found.append(provider) }
        return found
    }

    @Test("we ask it: its provider record and its value; ours are stored with it and come back")
    func weAsk() async throws {
        let owner = try KeyPair.generate()
        let (theirs, ours) = (try self.value("theirs", of: owner), try self.value("ours", of: owner))
        let peer = try InteropPeer(
            script: "py-libp2p/kademlia.py",
            arguments: ["serve", self.hexadecimal(self.multihash(1)), String(decoding: theirs.key, as: UTF8.self), self.hexadecimal(theirs.value)])
        defer { peer.stop() }
        let listening = try #require(try await peer.reports(until: "listening").last)
        let address = try Multiaddr(try #require(listening.addresses?.first))
        try await self.withNode { node in
            #expect(try await node.service.bootstrap([address]) == 1)
            let found = await self.providers(of: self.multihash(1), seenBy: node)
            #expect(found.map(\.peer.description) == [try #require(listening.peer)])
            #expect(found.first?.addresses == [address.removingPeerID()])
            #expect(try await node.service.getValue(under: theirs.key) == theirs.value)

            #expect(try await node.service.provide(self.multihash(2)) == ProvideResult(asked: 1, stored: 1))
            #expect(try await node.service.putValue(ours.value, under: ours.key) == ProvideResult(asked: 1, stored: 1))
            #expect(try await node.service.findPeer(address.peerID ?? node.peer)?.addresses == [address.removingPeerID()])
            // Seen by another of ours, which knows py-libp2p only.
            try await self.withNode { other in
                try await other.service.bootstrap([address])
                #expect(await self.providers(of: self.multihash(2), seenBy: other).contains { $0.peer == node.peer })
                #expect(try await other.service.getValue(under: ours.key) == ours.value)
            }
        }
    }

    @Test("it asks us: our provider record and our value; its own are stored with us")
    func itAsks() async throws {
        let owner = try KeyPair.generate()
        let (theirs, ours) = (try self.value("theirs", of: owner), try self.value("ours", of: owner))
        try await self.withNode { node in
            // Alone in the network, it keeps what it puts.
            await #expect(throws: KademliaError(.noPeers, "")) { try await node.service.putValue(ours.value, under: ours.key) }
            await #expect(throws: KademliaError(.noPeers, "")) { try await node.service.provide(self.multihash(3)) }
            let address = try #require(node.swarm.listenAddresses.first)
            let peer = try InteropPeer(
                script: "py-libp2p/kademlia.py",
                arguments: [
                    "seek", "\(address)/p2p/\(node.peer)", self.hexadecimal(self.multihash(3)), String(decoding: ours.key, as: UTF8.self),
                    self.hexadecimal(self.multihash(4)), String(decoding: theirs.key, as: UTF8.self), self.hexadecimal(theirs.value),
                ])
            defer { peer.stop() }
            let reports = try await peer.reports(until: "done")
            let connected = try #require(reports.first { $0.event == "connected" })
            let providers = try #require(reports.first { $0.event == "providers" })
            #expect(providers.count == 1 && providers.peer == node.peer.description, "\(providers)")
            #expect(providers.addresses == [address.description])
            #expect(reports.first { $0.event == "value" }?.message == self.hexadecimal(ours.value))
            #expect(reports.first { $0.event == "provided" }?.count == 1)
            let found = await self.providers(of: self.multihash(4), seenBy: node)
            #expect(found.map(\.peer.description) == [try #require(connected.local)])
            #expect(try await node.service.getValue(under: theirs.key) == theirs.value)
            #expect(node.service.statistics.malformedMessages == 0)
        }
    }
}
