import DIGHolePunching
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Testing

@testable import DIGTraversal

@Suite("Reaching peers without a relay", .serialized, .timeLimit(.minutes(2)))
struct SignalingTests {
    /// Two nodes behind NATs that know nothing of each other but that both read `backends`.
    private func pair(
        _ lab: Lab, _ backends: [MemorySignaling], _ configure: (inout TraversalConfiguration) -> Void = { _ in }
    ) async throws -> (LabNode, LabNode) {
        let a = try await lab.node("198.51.100.2", behindNAT: true, signaling: backends, configure)
        let b = try await lab.node("192.0.2.3", behindNAT: true, signaling: backends)
        try await eventually { backends.allSatisfy { $0.isRead(by: a) && $0.isRead(by: b) } }
        return (a, b)
    }

    @Test("A peer of which nothing but the id is known is reached by a punch that is agreed on over the DHT (LAY-07)", arguments: TraversalMode.allCases)
    func dht(mode: TraversalMode) async throws {
        try await withLab { lab in
            let (a, b) = try await self.pair(lab, [MemorySignaling("dht")]) { $0.ladder.mode = mode }
            let log = EventLog(a.manager, about: b.peer)
            let result = try await a.manager.connect(to: b.peer, addresses: [])
            #expect(result.method == .dhtAssisted)
            #expect(!result.connection.isRelayed)
            try await eventually { a.manager.isIdle && a.manager.path(of: b.peer)?.method == .dhtAssisted }
            try await eventually { b.manager.path(of: a.peer)?.method == .dhtAssisted }
            #expect(log.started.allSatisfy { $0 == .dhtAssisted })
            let attempts = await a.store.attempts(with: b.peer, limit: 9).filter(\.method.isPunch)
            #expect(attempts.map(\.outcome) == [.succeeded])
            #expect(attempts.first?.signaling == "dht")
            #expect(attempts.first?.description.hasSuffix("agreed on over dht") == true)
            #expect(await b.store.attempts(with: a.peer, limit: 9).contains { $0.method == .dhtAssisted && $0.signaling == "dht" })
            #expect(await a.store.statistics(in: nil)[.dhtAssisted]?.successes == 1)
        }
    }

    @Test("Over a backend that is no DHT it is a TCP punch; the DHT is not asked")
    func gun() async throws {
        try await withLab { lab in
            let (gun, dht) = (MemorySignaling("gun"), MemorySignaling("dht"))
            let (a, b) = try await self.pair(lab, [dht, gun])
            let result = try await a.manager.connect(to: b.peer, addresses: [])
            #expect(result.method == .tcpHolePunch)
            try await eventually { await a.store.attempts(with: b.peer, limit: 9).contains { $0.method == .tcpHolePunch && $0.signaling == "gun" } }
            #expect(dht.sent.isEmpty && !gun.sent.isEmpty)
        }
    }

    @Test("A backend that loses everything is given up, and the DHT has its turn")
    func deaf() async throws {
        try await withLab { lab in
            let (gun, dht) = (MemorySignaling("gun"), MemorySignaling("dht"))
            let (a, b) = try await self.pair(lab, [gun, dht]) { $0.ladder.budgets[.tcpHolePunch] = .milliseconds(500) }
            gun.goDeaf()
            #expect(try await a.manager.connect(to: b.peer, addresses: []).method == .dhtAssisted)
            #expect(!gun.sent.isEmpty)
        }
    }

    @Test("Both ends want each other at the same moment: one connection comes of it")
    func both() async throws {
        try await withLab { lab in
            let (a, b) = try await self.pair(lab, [MemorySignaling("dht")])
            async let one = a.manager.connect(to: b.peer, addresses: [])
            async let two = b.manager.connect(to: a.peer, addresses: [])
            let (atA, atB) = try await (one, two)
            #expect(atA.method == .dhtAssisted && atB.method == .dhtAssisted)
            try await eventually { a.swarm.statistics.openConnections == 1 && b.swarm.statistics.openConnections == 1 }
        }
    }

    @Test("Nobody reads the other end: the error says so, and over what")
    func nobody() async throws {
        try await withLab { lab in
            let gun = MemorySignaling("gun")
            let a = try await lab.node("198.51.100.2", behindNAT: true, signaling: [gun]) { $0.holePunching.messageTimeout = .milliseconds(50) }
            try await eventually { gun.isRead(by: a) }
            let nobody = try KeyPair.generate().peerID
            let error = await #expect(throws: TraversalError.self) { try await a.manager.connect(to: nobody, addresses: []) }
            #expect(error?.code == .allMethodsFailed)
            #expect(error?.attempts.map(\.method) == [.tcpHolePunch])
            try await eventually { await !a.store.attempts(with: nobody, limit: 9).isEmpty }
            let attempt = try #require(await a.store.attempts(with: nobody, limit: 9).first)
            #expect(attempt.description.contains("agreed on over gun: attempt"))
            // Where it is not asked for, it is not tried.
            var ladder = a.manager.configuration.ladder
            ladder.preferredMethods = [.direct, .circuitRelay]
            await #expect(throws: TraversalError(.noMethod, "")) { try await a.manager.connect(to: nobody, addresses: [], ladder: ladder) }
            try await eventually { a.manager.restrictions.count == 0 }
        }
    }

    @Test("A relay that has no place for the peer: the punch is agreed on over a backend instead")
    func noPlace() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let (a, b) = try await self.pair(lab, [MemorySignaling("gun")])
            let result = try await a.manager.connect(to: b.peer, addresses: [b.circuit(through: relay)])
            #expect(result.method == .tcpHolePunch)
            let attempts = await a.store.attempts(with: b.peer, limit: 9)
            #expect(attempts.contains { if case .failed = $0.outcome { $0.method == .circuitRelay } else { false } })
        }
    }

    @Test("What a call does not allow is not done with the peer either when the peer begins")
    func restricted() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", behindNAT: true, relays: [relay])
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay])
            var ladder = a.manager.configuration.ladder
            ladder.preferredMethods = [.circuitRelay]
            let result = try await a.manager.connect(to: b.peer, addresses: [b.circuit(through: relay)], ladder: ladder)
            #expect(result.method == .circuitRelay)
            // The peer begins, and gives it up.
            try await eventually { await b.store.attempts(with: a.peer, limit: 9).contains { $0.method.isPunch } }
            #expect(await !b.store.attempts(with: a.peer, limit: 9).contains { $0.method.isPunch && $0.outcome == .succeeded })
            #expect(a.swarm.connection(to: b.peer)?.isRelayed == true)
            #expect(a.manager.restrictions.count == 1)
            await result.connection.close()
            try await eventually { a.swarm.connection(to: b.peer) == nil && a.manager.restrictions.count == 0 }
            // Another call, another wish.
            _ = try await a.manager.connect(to: b.peer, addresses: [b.circuit(through: relay)])
            try await eventually { a.swarm.connection(to: b.peer)?.isRelayed == false }
        }
    }
}
