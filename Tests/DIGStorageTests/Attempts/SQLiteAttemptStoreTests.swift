import DIGIdentity
import DIGMultiformats
import DIGStorage
import DIGTraversal
import Testing

@Suite("Attempts to reach peers")
struct SQLiteAttemptStoreTests {
    let directory: TemporaryDirectory
    let store: SQLiteAttemptStore
    let peer: PeerID
    let home: NetworkFingerprint

    init() throws {
        self.directory = try TemporaryDirectory()
        self.store = SQLiteAttemptStore(database: try NodeDatabase(directory: self.directory.path))
        self.peer = try KeyPair.generate().peerID
        self.home = NetworkFingerprint(external: [try Multiaddr("/ip4/198.51.100.1/tcp/1")], interfaces: [])
    }

    private func record(_ method: TraversalMethod, _ outcome: AttemptRecord.Outcome, in network: NetworkFingerprint, second: UInt64 = 0) throws -> AttemptRecord {
        AttemptRecord(
            peer: self.peer, method: method, addresses: [try Multiaddr("/ip4/203.0.113.1/tcp/4001")], startedAt: second * 1000,
            duration: .milliseconds(1500), outcome: outcome, network: network)
    }

    @Test("come back as they were, newest first, by peer")
    func roundTrip() async throws {
        var overGUN = try self.record(.tcpHolePunch, .succeeded, in: self.home, second: 0)
        overGUN.signaling = "gun"
        let records = [
            overGUN,
            try self.record(.direct, .failed("no answer"), in: self.home, second: 1),
            try self.record(.webSocket, .overtaken, in: self.home, second: 2),
            try self.record(.tcpHolePunch, .unfinished("attempt 1 was under way"), in: self.home, second: 2),
            try self.record(.tcpHolePunch, .succeeded, in: .unknown, second: 3),
        ]
        for record in records { try await self.store.add(record) }
        #expect(try await self.store.attempts(with: self.peer, limit: 10) == records.reversed())
        #expect(try await self.store.attempts(with: nil, limit: 1) == [records[4]])
        #expect(try await self.store.attempts(with: KeyPair.generate().peerID, limit: 10).isEmpty)
    }

    @Test("are summed for each method and network, and survive a restart")
    func sums() async throws {
        for _ in 0..<3 { try await self.store.add(try self.record(.direct, .succeeded, in: self.home)) }
        try await self.store.add(try self.record(.direct, .failed("refused"), in: .unknown))
        try await self.store.add(try self.record(.direct, .overtaken, in: self.home))
        try await self.store.add(try self.record(.direct, .unfinished("enough"), in: self.home))
        let again = SQLiteAttemptStore(database: try NodeDatabase(directory: self.directory.path))
        #expect(try await again.statistics(in: self.home) == [.direct: MethodStatistics(attempts: 3, successes: 3, successDuration: .milliseconds(4500))])
        #expect(try await again.statistics(in: nil)[.direct]?.attempts == 4)
        #expect(try await again.statistics(in: .unknown)[.direct]?.successes == 0)
    }
}
