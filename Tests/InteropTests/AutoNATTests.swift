import DIGAutoNAT
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Foundation
import Logging
import NIOPosix
import Testing

/// AutoNAT v1 with py-libp2p (`Interop/py-libp2p/autonat.py`).
@Suite("py-libp2p: AutoNAT v1", .serialized, .timeLimit(.minutes(2)))
struct AutoNATTests {
    /// The swarm would dial no loopback address on a stranger's word.
    private struct LoopbackDialer: PeerDialer {
        var swarm: Swarm
        var localPeer: PeerID { self.swarm.localPeer }

        func connection(to peer: PeerID) -> (any Connection)? { self.swarm.connection(to: peer) }

        func connect(to peer: PeerID, addresses: [Multiaddr], options: DialOptions) async throws -> any Connection {
            var options = options
            options.source = .user
            return try await self.swarm.connect(to: peer, addresses: addresses, options: options)
        }
    }

    private func withSwarm(_ body: (Swarm) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let swarm = Swarm(
            identity: try KeyPair.generate(), transports: [TCPTransport(group: group)], group: group, logger: Logger(label: "dig.interop"))
        do {
            try await body(swarm)
        } catch {
            await swarm.shutdown()
            throw error
        }
        await swarm.shutdown()
    }

    /// py-libp2p's server answers OK without dialing, so only the exchange is tested, and what it refuses.
    @Test("we ask it: it says OK and which address; it refuses another machine's address")
    func weAsk() async throws {
        let peer = try InteropPeer(script: "py-libp2p/autonat.py", arguments: ["serve"])
        defer { peer.stop() }
        let listening = try #require(try await peer.reports(until: "listening").last)

        try await self.withSwarm { swarm in
            let address = try #require(try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")]).first)
            let connection = try await swarm.connect(to: Multiaddr(try #require(listening.addresses?.first)))
            let answer = try await AutoNATv1Client().ask(about: [address], on: connection)
            #expect(answer == .reachable(address))
            let refusal = try await AutoNATv1Client().ask(about: [try Multiaddr("/ip4/127.0.0.9/tcp/80")], on: connection)
            #expect(refusal == .refused)
        }
    }

    @Test("it asks us: dialed, not reached, and refused, as the specification has it")
    func itAsks() async throws {
        try await self.withSwarm { swarm in
            var configuration = AutoNATv1ServerConfiguration()
            configuration.policy = DialBackPolicy(
                isPublic: { address in
                    guard case .ip4(let ip)? = address.components.first else { return false }
                    return ip.scope == .loopback
                }, canDial: { DialBackPolicy.isPlainTCP($0) })
            let server = AutoNATv1Server(
                dialer: LoopbackDialer(swarm: swarm), router: swarm, configuration: configuration, logger: Logger(label: "dig.interop"))
            let serving = Task { try await server.run() }
            let address = try #require(try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")]).first)
            let peer = try InteropPeer(script: "py-libp2p/autonat.py", arguments: ["ask", "\(address)/p2p/\(swarm.localPeer)"])
            defer { peer.stop() }
            let answers = try await peer.reports(until: "done").filter { $0.event == "answer" }
            #expect(answers.map(\.count) == [0, 100, 101])
            let own = try #require(answers.first)
            #expect(own.addresses?.contains { $0.hasPrefix(own.message ?? "?") } == true, "\(own)")
            serving.cancel()
            try await serving.value
        }
    }
}
