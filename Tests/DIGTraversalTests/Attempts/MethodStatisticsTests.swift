import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGTraversal

@Suite("What was learned about methods")
struct MethodStatisticsTests {
    private func record(_ method: TraversalMethod, _ outcome: AttemptRecord.Outcome, in network: NetworkFingerprint = .unknown) throws -> AttemptRecord {
        AttemptRecord(
            peer: try KeyPair.generate().peerID, method: method, addresses: [], startedAt: 0, duration: .seconds(1), outcome: outcome, network: network)
    }

    @Test("Successes and failures count, being overtaken or given up does not")
    func counts() throws {
        var statistics = MethodStatistics()
        #expect(statistics.successProbability == 0.5)
        statistics.add(try self.record(.direct, .succeeded))
        statistics.add(try self.record(.direct, .succeeded))
        statistics.add(try self.record(.direct, .failed("refused")))
        statistics.add(try self.record(.direct, .overtaken))
        statistics.add(try self.record(.direct, .unfinished("enough")))
        #expect(statistics == MethodStatistics(attempts: 3, successes: 2, successDuration: .seconds(2)))
        #expect(statistics.successProbability == 0.6)
    }

    @Test("What works here goes first, what fails goes last, and the rest keeps its order")
    func order() {
        let learned: [TraversalMethod: MethodStatistics] = [
            .webSocket: MethodStatistics(attempts: 4, successes: 4), .portMapping: MethodStatistics(attempts: 4, successes: 0),
        ]
        var configuration = LadderConfiguration()
        configuration.mode = .sequential
        #expect(configuration.methods(learned: learned) == [.webSocket, .local, .direct, .tcpHolePunch, .tcpSimultaneousOpen, .circuitRelay, .dhtAssisted, .portMapping])
        configuration.mode = .race
        #expect(configuration.methods(learned: learned).prefix(3) == [.local, .direct, .webSocket])
        configuration.preferredMethods = [.circuitRelay, .direct, .circuitRelay]
        #expect(configuration.methods(learned: learned) == [.circuitRelay, .direct])
    }

    @Test("The presets give the two orders of the architecture and the whitepaper")
    func presets() {
        var configuration = LadderConfiguration()
        configuration.mode = .sequential
        #expect(configuration.methods(learned: [:]) == TraversalPreset.dualRole.methods)
        configuration.preset = .whitepaper
        #expect(configuration.methods(learned: [:]).first(where: { $0 != .local }) == .portMapping)
        #expect(configuration.methods(learned: [:]).last == .circuitRelay)
    }

    @Test("Statistics are kept apart for each network")
    func networks() async throws {
        let store = MemoryAttemptStore()
        let home = NetworkFingerprint(external: [try .init("/ip4/198.51.100.1/tcp/1")], interfaces: [])
        await store.add(try self.record(.direct, .succeeded, in: home))
        await store.add(try self.record(.direct, .failed("refused")))
        #expect(await store.statistics(in: home)[.direct]?.attempts == 1)
        #expect(await store.statistics(in: nil)[.direct]?.attempts == 2)
        #expect(await store.attempts(with: nil, limit: 1).first?.outcome == .failed("refused"))
    }

    @Test("Method names are read, and an unknown one names those there are")
    func names() throws {
        for method in TraversalMethod.allCases { #expect(try TraversalMethod(name: method.rawValue) == method) }
        #expect(throws: TraversalError(.unknownMethod, "")) { try TraversalMethod(name: "magic") }
    }
}
