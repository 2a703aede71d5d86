import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Synchronization
import Testing

@testable import DIGTraversal

@Suite("What peers say about themselves", .serialized, .timeLimit(.minutes(1)))
struct CapabilityExchangeTests {
    @Test("Connected peers know each other's record; what was tried decides what they are (CAP-01, CAP-10…12)")
    func exchanged() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay])
            let b = try await lab.node("192.0.2.3", behindNAT: true) { $0.relayDuty = .never }
            try await eventually { a.manager.capabilities.record(of: relay.peer, now: WallClock.nowMilliseconds)?.relays == true }
            let record = try #require(a.manager.capabilities.record(of: relay.peer, now: WallClock.nowMilliseconds))
            #expect(record.tier == .unknown, "nobody has proven anything about it")
            #expect(record.addresses.map(\.address) == [relay.address])
            #expect(a.manager.capabilities.directCapablePeers(now: WallClock.nowMilliseconds).isEmpty, "its word is not proof")

            await a.swarm.connection(to: relay.peer)?.close()
            try await eventually { a.swarm.connection(to: relay.peer) == nil }
            _ = try await a.manager.connect(to: relay.peer, addresses: [relay.address], preferredMethods: ["direct"])
            try await eventually { a.manager.capabilities.tier(of: relay.peer, now: WallClock.nowMilliseconds) == .directCapable }
            #expect(a.manager.capabilities.dualRolePeers(now: WallClock.nowMilliseconds) == [relay.peer])
            #expect(a.manager.capabilities.statistics(of: relay.peer)[.direct]?.successes == 1)

            var ladder = LadderConfiguration()
            ladder.budgets[.direct] = .milliseconds(50)
            await #expect(throws: TraversalError.self) { try await a.manager.connect(to: b.peer, addresses: [b.address], ladder: ladder) }
            #expect(a.manager.capabilities.tier(of: b.peer, now: WallClock.nowMilliseconds) == .natRestricted)
        }
    }

    @Test("A peer from elsewhere learns no private address, one on the local network does")
    func privateAddresses() async throws {
        try await withLab { lab in
            let a = try await lab.node("198.51.100.2", alsoListeningOn: ["/ip4/127.0.0.1/tcp/0"])
            let b = try await lab.node("192.0.2.3")
            let outside = try await b.swarm.connect(to: a.peer, addresses: [a.address])
            let record = try await CapabilityExchange.ask(outside)
            #expect(record.addresses == [.init(a.address, origin: .interface)])
            await outside.close()
            try await eventually { b.swarm.connection(to: a.peer) == nil && a.swarm.connection(to: b.peer) == nil }

            let local = try #require(a.swarm.listenAddresses.first { $0.host == "127.0.0.1" })
            let inside = try await b.swarm.connect(to: a.peer, addresses: [local])
            #expect(Set(try await CapabilityExchange.ask(inside).addresses.map(\.address)).isSuperset(of: [a.address]))
        }
    }

    @Test("Asked again and again, a node signs once")
    func signedOnce() async throws {
        try await withLab { lab in
            let a = try await lab.node("198.51.100.2")
            let b = try await lab.node("192.0.2.3")
            let connection = try await b.swarm.connect(to: a.peer, addresses: [a.address])
            let first = try await CapabilityExchange.ask(connection)
            for _ in 0..<20 { #expect(try await CapabilityExchange.ask(connection).issuedAt == first.issuedAt) }
            try await a.swarm.listen(on: [Multiaddr("/ip4/198.51.100.2/tcp/0")])
            #expect(try await CapabilityExchange.ask(connection).addresses.count == 2, "what changed is said at once")
        }
    }

    @Test("Private addresses that a peer names are not dialed, whoever asked for the peer (design: D16)")
    func hostileRecord() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay]) { $0.ladder.budgets[.direct] = .milliseconds(100) }
            let liar = try KeyPair.generate()
            let hostile = try [
                "/ip4/127.0.0.1/tcp/22", "/ip4/169.254.169.254/tcp/80", "/ip4/10.0.0.1/tcp/22", "/ip6/::ffff:127.0.0.1/tcp/22", "/ip6/fe80::1/tcp/22",
                "/dns4/localhost/tcp/22", "/dns4/localhost/tcp/22/p2p/\(relay.peer)/p2p-circuit", "/ip4/127.0.0.1/tcp/22/p2p/\(relay.peer)/p2p-circuit",
                "/dns4/localhost/tcp/22/p2p/\(KeyPair.generate().peerID)/p2p-circuit",
            ].map { try Multiaddr($0) }
            // The relay is one the user named, whose private addresses would be dialed on the user's word.
            await a.swarm.connection(to: relay.peer)?.close()
            a.manager.state.withLock { state in
                _ = state.capabilities.add(
                    PeerConnectionCapabilities(
                        peer: liar.peerID, issuedAt: WallClock.nowMilliseconds, tier: .directCapable,
                        addresses: hostile.map { .init($0, origin: .observed) }), now: WallClock.nowMilliseconds)
            }
            await #expect(throws: TraversalError.self) {
                try await a.manager.connect(to: liar.peerID, addresses: [Multiaddr("/ip4/203.0.113.88/tcp/9")])
            }
            await #expect(throws: TraversalError.self) { try await a.manager.connect(to: liar.peerID, addresses: hostile, source: .stranger) }
            let policy = a.manager.configuration.addressPolicy
            #expect(lab.dialed.allSatisfy { policy.isPublic($0) && $0.host != nil }, "\(lab.dialed)")
        }
    }
}
