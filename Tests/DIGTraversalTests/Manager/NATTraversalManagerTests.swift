import DIGCircuitRelay
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Synchronization
import Testing

@testable import DIGAutoNAT
@testable import DIGHolePunching
@testable import DIGTraversal

@Suite("Reaching peers over a network of their own", .serialized, .timeLimit(.minutes(2)))
struct NATTraversalManagerTests {
    @Test("Two nodes that know each other's circuit address only meet through the relay (LAY-05, LAY-12, LAY-17)")
    func circuit() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", behindNAT: true, relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            let log = EventLog(a.manager, about: b.peer)
            let result = try await a.manager.connect(to: b.peer, addresses: [b.circuit(through: relay)])
            #expect(result.method == .circuitRelay)
            #expect(result.connection.isRelayed)
            #expect(result.duration > .zero)
            #expect(a.manager.path(of: b.peer)?.method == .circuitRelay)
            #expect(a.manager.path(of: b.peer)?.isDirect == false)
            try await eventually { log.connected == [.circuitRelay] }
            #expect(log.started == [.circuitRelay])

            let attempt = try #require(await a.store.attempts(with: b.peer, limit: 9).last)
            #expect(attempt.method == .circuitRelay)
            #expect(attempt.outcome == .succeeded)
            #expect(attempt.network != .unknown)
            let statistics = await a.store.statistics(in: attempt.network)
            #expect(statistics[.circuitRelay]?.successes == 1)
            #expect(await a.store.statistics(in: .unknown).isEmpty)
            // The open connection is the answer from now on, and no climb is made.
            #expect(try await a.manager.connect(to: b.peer, addresses: []).duration == .zero)
            #expect(relay.manager.state.withLock { $0.climbs.isEmpty })
        }
    }

    @Test("A relay at a private address is used if the user named it with the peer, and not on a stranger's word")
    func privateRelay() async throws {
        try await withLab { lab in
            let relay = try await lab.node("203.0.113.1", alsoListeningOn: ["/ip4/127.0.0.1/tcp/0"]) { $0.relayDuty = .always }
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            let home = try #require(relay.swarm.listenAddresses.first { $0.host == "127.0.0.1" })
            let circuit = Multiaddr(components: home.withPeerID(relay.peer).components + [.p2pCircuit])
            let a = try await lab.node("198.51.100.2", behindNAT: true)
            let error = await #expect(throws: TraversalError.self) { try await a.manager.connect(to: b.peer, addresses: [circuit], source: .stranger) }
            #expect(error?.code == .allMethodsFailed)
            #expect(lab.dialed.allSatisfy { $0.host != "127.0.0.1" })
            #expect(try await a.manager.connect(to: b.peer, addresses: [circuit]).method == .circuitRelay)
        }
    }

    @Test("In a race the relay carries the first bytes, a punch takes its place and is recorded once")
    func race() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", behindNAT: true, relays: [relay])
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay])
            let log = EventLog(a.manager, about: b.peer)
            let result = try await a.manager.connect(to: b.peer, addresses: [b.address, b.circuit(through: relay)])
            #expect(result.method == .circuitRelay)
            try await eventually { a.swarm.connection(to: b.peer)?.isRelayed == false }
            try await eventually { a.manager.path(of: b.peer)?.method.isPunch == true }
            try await eventually { a.manager.state.withLock { $0.climbs.isEmpty } }
            try await eventually { log.connected.contains(where: \.isPunch) }
            #expect(log.started.prefix(2) == [.direct, .circuitRelay])
            let records = await a.store.attempts(with: b.peer, limit: 99)
            #expect(records.count { $0.method.isPunch && $0.outcome == .succeeded } == 1)
            #expect(records.contains { $0.method == .direct })
            #expect(a.manager.state.withLock { $0.punches.isEmpty })
        }
    }

    @Test("A direct dial that is slower than the relay is that method's success all the same (LAY-12, LAY-17)")
    func slowDirect() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay])
            let b = try await lab.node("192.0.2.3", relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            lab.delay("192.0.2.3", .milliseconds(400))
            let log = EventLog(a.manager, about: b.peer)
            #expect(try await a.manager.connect(to: b.peer, addresses: [b.address, b.circuit(through: relay)]).method == .circuitRelay)
            try await eventually { log.connected == [.circuitRelay, .direct] }
            #expect(log.ended.filter { !$0.method.isPunch }.map(\.outcome) == [.succeeded, .succeeded])
            #expect(a.manager.path(of: b.peer)?.method == .direct)
            #expect(await a.store.statistics(in: nil)[.direct]?.successes == 1)
        }
    }

    @Test("In sequence the methods take turns, and after a success nothing is started (ENV-07, ENV-12)")
    func sequential() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", behindNAT: true, relays: [relay]) {
                $0.ladder.mode = .sequential
                $0.ladder.budgets[.direct] = .milliseconds(100)
            }
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay])
            let log = EventLog(a.manager, about: b.peer)
            let result = try await a.manager.connect(to: b.peer, addresses: [b.address, b.circuit(through: relay)])
            #expect(result.method.isPunch)
            #expect(!result.connection.isRelayed)
            try await eventually { a.manager.state.withLock { $0.climbs.isEmpty } }
            try await eventually { log.ended.contains { $0.method.isPunch } }
            #expect(log.started.first == .direct)
            #expect(!log.started.contains(.circuitRelay))
            let direct = try #require(log.ended.first { $0.method == .direct })
            #expect(direct.outcome == .failed("no connection within 0.1 seconds"))
            #expect(direct.duration >= .milliseconds(100))
            #expect(log.ended.filter { $0.method.isPunch }.map(\.outcome) == [.succeeded])
        }
    }

    @Test("When all fail the error names every method with its time and cause, none beyond its budget (ENV-13, LAY-15)")
    func allFail() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay]) { $0.ladder.budgets[.direct] = .milliseconds(200) }
            // Has no place at the relay.
            let b = try await lab.node("192.0.2.3", behindNAT: true)
            let error = await #expect(throws: TraversalError.self) {
                try await a.manager.connect(to: b.peer, addresses: [b.address, b.circuit(through: relay)])
            }
            #expect(error?.code == .allMethodsFailed)
            let attempts = Dictionary(uniqueKeysWithValues: (error?.attempts ?? []).map { ($0.method, $0) })
            #expect(Set(attempts.keys) == [.direct, .circuitRelay])
            #expect(attempts[.direct]?.outcome == .failed("no connection within 0.2 seconds"))
            #expect((attempts[.direct]?.duration).map { $0 >= .milliseconds(200) && $0 < .seconds(5) } == true)
            guard case .failed(let cause)? = attempts[.circuitRelay]?.outcome else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(cause.lowercased().contains("reservation"))
            let text = error?.description ?? ""
            #expect(text.contains("direct: no connection within") && text.contains("circuit-relay:"))
            #expect(await a.store.attempts(with: b.peer, limit: 9).count == 2)
            let nobody = try KeyPair.generate().peerID
            await #expect(throws: TraversalError(.noMethod, "")) { try await a.manager.connect(to: nobody, addresses: []) }
        }
    }

    @Test("The methods asked for are the ones tried, in that order; an unknown name is an error of its own (NAT-18)")
    func preferred() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay]) { $0.ladder.mode = .sequential }
            let b = try await lab.node("192.0.2.3", relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            let addresses = [b.address, b.circuit(through: relay)]
            let error = await #expect(throws: TraversalError.self) {
                try await a.manager.connect(to: b.peer, addresses: addresses, preferredMethods: ["direct", "teleport"])
            }
            #expect(error?.code == .unknownMethod)
            #expect(error?.message.contains("\"teleport\"") == true && error?.message.contains("tcp-hole-punch") == true)

            let log = EventLog(a.manager, about: b.peer)
            let relayed = try await a.manager.connect(to: b.peer, addresses: addresses, preferredMethods: ["circuit-relay", "direct"])
            #expect(relayed.method == .circuitRelay)
            try await eventually { log.started == [.circuitRelay] }
            await relayed.connection.close()
            try await eventually { a.swarm.connection(to: b.peer) == nil }
            #expect(try await a.manager.connect(to: b.peer, addresses: addresses, preferredMethods: ["direct"]).method == .direct)
        }
    }

    @Test("What fails on this network is tried later next time, and elsewhere as ever (LAY-11)")
    func learned() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay]) {
                $0.ladder.mode = .sequential
                $0.ladder.budgets[.direct] = .milliseconds(50)
            }
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            let addresses = [b.address, b.circuit(through: relay)]
            let methods: [TraversalMethod] = [.direct, .circuitRelay]
            var ladder = a.manager.configuration.ladder
            #expect(ladder.methods(learned: [:]).filter(methods.contains) == methods)
            // The punch is tried on the way, and refused by the other end's settings.
            let first = try await a.manager.connect(to: b.peer, addresses: addresses)
            #expect(first.method == .circuitRelay)
            let here = await a.store.statistics(in: a.manager.network)
            #expect(here[.direct]?.attempts == 1 && here[.direct]?.successes == 0)
            #expect(ladder.methods(learned: here).filter(methods.contains) == [.circuitRelay, .direct])
            ladder.preferredMethods = methods
            #expect(ladder.methods(learned: here) == methods, "what was asked for is not reordered")

            await first.connection.close()
            try await eventually { a.swarm.connection(to: b.peer) == nil }
            let log = EventLog(a.manager, about: b.peer)
            #expect(try await a.manager.connect(to: b.peer, addresses: addresses).method == .circuitRelay)
            try await eventually { !log.started.isEmpty }
            #expect(!log.started.contains(.direct))
        }
    }

    @Test("A climb is joined; who gives up does not take it from the others")
    func joined() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay]) { $0.ladder.stagger = .milliseconds(300) }
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            let addresses = [b.address, b.circuit(through: relay)]
            let log = EventLog(a.manager, about: b.peer)
            let first = Task { try await a.manager.connect(to: b.peer, addresses: addresses) }
            try await eventually { log.started == [.direct] }
            let second = Task { try await a.manager.connect(to: b.peer, addresses: addresses) }
            let third = Task { try await a.manager.connect(to: b.peer, addresses: addresses) }
            first.cancel()
            await #expect(throws: CancellationError.self) { try await first.value }
            #expect(try await second.value.connection.id == third.value.connection.id)
            #expect(log.started.filter { $0 == .direct }.count <= 2)
        }
    }

    @Test("Whoever joins a climb that is given up at that moment gets one of their own")
    func joinedTooLate() async throws {
        try await withLab { lab in
            let a = try await lab.node("198.51.100.2")
            let b = try await lab.node("192.0.2.3", behindNAT: true)
            for _ in 0..<50 {
                let first = Task { try await a.manager.connect(to: b.peer, addresses: [b.address]) }
                try await eventually { a.manager.state.withLock { !$0.climbs.isEmpty } }
                let second = Task { try await a.manager.connect(to: b.peer, addresses: [b.address]) }
                first.cancel()
                await #expect(throws: CancellationError.self) { try await first.value }
                // Its own climb, or the first one's if it joined before that was given up.
                try await eventually { a.swarm.statistics.pendingDials == 1 }
                second.cancel()
                await #expect(throws: CancellationError.self) { try await second.value }
            }
        }
    }

    @Test("What a joined climb did not know is tried after it failed")
    func joinedWithMore() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay]) { $0.ladder.budgets[.direct] = .milliseconds(300) }
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            let poor = Task { try await a.manager.connect(to: b.peer, addresses: [b.address]) }
            try await eventually { a.manager.state.withLock { $0.climbs[b.peer] != nil } }
            let rich = Task { try await a.manager.connect(to: b.peer, addresses: [b.circuit(through: relay)]) }
            await #expect(throws: TraversalError.self) { try await poor.value }
            #expect(try await rich.value.method == .circuitRelay)
        }
    }

    @Test("A climb that goes on for a better path gives way when its path is gone")
    func stale() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay])
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            let addresses = [b.address, b.circuit(through: relay)]
            let first = try await a.manager.connect(to: b.peer, addresses: addresses)
            #expect(a.manager.state.withLock { $0.climbs[b.peer]?.isAnswered } == true, "direct is still being tried")
            await first.connection.close()
            try await eventually { a.swarm.connection(to: b.peer) == nil }
            let second = try await a.manager.connect(to: b.peer, addresses: addresses)
            #expect(second.connection.id != first.connection.id)
            #expect(a.swarm.connection(to: b.peer) != nil)
        }
    }

    @Test("Cancelled climbs leave no socket, no task and no dial (LAY-15)")
    func leaks() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay])
            let b = try await lab.node("192.0.2.3", behindNAT: true)
            // Refused by everybody: a port of nobody's, and a silent one.
            let addresses = [b.address, b.circuit(through: relay), try Multiaddr("/ip4/203.0.113.77/tcp/9")]
            try await eventually { a.manager.isIdle && relay.manager.isIdle }
            let before = (openSocketCount(), a.swarm.statistics)
            for _ in 0..<40 {
                let climb = Task { try await a.manager.connect(to: b.peer, addresses: addresses) }
                try await eventually { a.swarm.statistics.pendingDials > before.1.pendingDials }
                climb.cancel()
                await #expect(throws: CancellationError.self) { try await climb.value }
            }
            try await eventually { a.manager.isIdle }
            try await eventually { a.swarm.statistics.pendingDials == before.1.pendingDials && a.swarm.statistics.openStreams <= before.1.openStreams }
            try await eventually { openSocketCount() <= before.0 }
            #expect(a.manager.state.withLock { $0.punches.isEmpty && $0.methods.count <= 1 })
        }
    }

    @Test("The end of the node ends climbs, with a reason, and leaves nothing announced")
    func shutdown() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay])
            let b = try await lab.node("192.0.2.3", behindNAT: true)
            #expect(a.swarm.announcedAddresses.contains { $0.components.contains(.p2pCircuit) })
            let climb = Task { try await a.manager.connect(to: b.peer, addresses: [b.address]) }
            try await eventually { a.swarm.statistics.pendingDials > 0 }
            await a.stop()
            let record = try #require(await a.store.attempts(with: b.peer, limit: 9).first)
            #expect(record.method == .direct && record.outcome == .unfinished("nobody waits for it any more"))
            await #expect(throws: ConnectionError(.closed, "")) { try await climb.value }
            await #expect(throws: ConnectionError(.closed, "")) { try await a.manager.connect(to: b.peer, addresses: [b.address]) }
            #expect(a.manager.isIdle)
            #expect(a.swarm.statistics.pendingDials == 0)
            #expect(!a.swarm.announcedAddresses.contains { $0.components.contains(.p2pCircuit) })
        }
    }

    @Test("Of a punch that is under way when the node ends it is kept that it was, and what is known of it")
    func punchAtTheEnd() async throws {
        try await withLab { lab in
            let a = try await lab.node("198.51.100.2")
            let peer = try KeyPair.generate().peerID
            await a.manager.punchHappened(PunchEvent(peer: peer, side: .responder, signaling: "relay", kind: .started(attempt: 2, method: .tcpSimultaneousOpen)))
            await a.stop()
            let record = try #require(await a.store.attempts(with: peer, limit: 9).first)
            #expect(record.method == .tcpSimultaneousOpen)
            guard case .unfinished(let cause) = record.outcome else { return #expect(Bool(false), "\(record)") }
            #expect(cause.contains("attempt 2"))
            #expect(record.description.hasPrefix("tcp-simultaneous-open: not over after "))
        }
    }

    @Test("A relayed path carries nothing but the agreement on a punch where no relay is allowed, whoever opened it (NAT-18)")
    func relayForSignalingOnly() async throws {
        try await withLab { lab in
            let relay = try await lab.relay("203.0.113.1")
            let a = try await lab.node("198.51.100.2", relays: [relay]) { $0.ladder.budgets[.tcpHolePunch] = .milliseconds(300) }
            // Refuses to punch.
            let b = try await lab.node("192.0.2.3", behindNAT: true, relays: [relay]) { $0.ladder.preferredMethods = [.circuitRelay] }
            let addresses = [b.address, b.circuit(through: relay)]
            let error = await #expect(throws: TraversalError.self) {
                try await a.manager.connect(to: b.peer, addresses: addresses, preferredMethods: ["tcp-hole-punch"])
            }
            #expect(error?.code == .allMethodsFailed && error?.attempts.map(\.method) == [.tcpHolePunch])
            try await eventually { a.swarm.connection(to: b.peer) == nil }

            #expect(try await a.manager.connect(to: b.peer, addresses: addresses, preferredMethods: ["circuit-relay"]).connection.isRelayed)
            await #expect(throws: TraversalError.self) {
                try await a.manager.connect(to: b.peer, addresses: addresses, preferredMethods: ["tcp-hole-punch"])
            }
            // Somebody else may need it.
            #expect(a.swarm.connection(to: b.peer)?.isRelayed == true)
        }
    }

    @Test("For a punch a single observer's word is enough; what is proven goes first, a guess of the port last")
    func punchAddresses() throws {
        func entry(_ address: Multiaddr, _ basis: ExternalAddress.Basis) -> ReachabilitySnapshot.Address {
            .init(
                external: ExternalAddress(address: address, listenAddress: address, basis: basis), state: .unknown, isIndependent: false, confidence: 0,
                votes: [], refusals: 0, nextCheck: .now)
        }
        let addresses = try (1...4).map { try Multiaddr("/ip4/198.51.100.\($0)/tcp/4001") }
        let evidence = TCPMapping.Evidence(observer: try Multiaddr("/ip4/203.0.113.1/tcp/4001"), local: addresses[0], external: addresses[1])
        let snapshot = ReachabilitySnapshot(
            overall: .unknown, addresses: [entry(addresses[2], .guessed), entry(addresses[3], .observed)], v2Servers: 0, v1Servers: 0,
            tcpMapping: TCPMapping(behavior: .unknown, evidence: [evidence, evidence]))
        #expect(NATTraversalManager.punchAddresses(snapshot, listening: [addresses[0]]) == [addresses[3], addresses[1], addresses[2], addresses[0]])
    }

    @Test("A node that is stopped before it ran closes all the same")
    func neverRan() async throws {
        try await withLab { lab in
            let a = try await lab.node("198.51.100.2")
            let b = try await lab.node("192.0.2.3", behindNAT: true)
            let climb = Task { try await a.manager.connect(to: b.peer, addresses: [b.address]) }
            try await eventually { a.swarm.statistics.pendingDials > 0 }
            await a.swarm.shutdown()
            await a.stop()
            await #expect(throws: (any Error).self) { try await climb.value }
        }
    }
}
