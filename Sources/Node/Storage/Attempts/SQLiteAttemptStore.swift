public import DIGIdentity
import DIGMultiformats
public import DIGTraversal
import Foundation
import GRDB

/// How peers were reached, in the node's database.
public struct SQLiteAttemptStore: AttemptStore, Sendable {
    /// Single attempts kept; the sums of all are kept beside them.
    public static let maximumCount = 10_000
    /// Sums are kept for this many networks and methods; those of the networks with the fewest attempts go first.
    static let maximumStatisticsCount = 1_000

    private let database: NodeDatabase

    public init(database: NodeDatabase) {
        self.database = database
    }

    public func add(_ record: AttemptRecord) async throws {
        let (outcome, cause): (String, String?) =
            switch record.outcome {
            case .succeeded: ("succeeded", nil)
            case .failed(let cause): ("failed", cause)
            case .overtaken: ("overtaken", nil)
            // The table knows three outcomes: the cause tells this one from the one before.
            case .unfinished(let cause): ("overtaken", cause)
            }
        let milliseconds = Self.milliseconds(record.duration)
        var sums = MethodStatistics()
        sums.add(record)
        let (attempts, successes) = (Int64(clamping: sums.attempts), Int64(clamping: sums.successes))
        let arguments: StatementArguments = [
            Data(record.peer.bytes), record.method.rawValue, record.addresses.map(\.description).joined(separator: "\n"),
            Int64(clamping: record.startedAt), milliseconds, outcome, cause, record.network.description, record.signaling,
        ]
        try await self.database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO attempt (peer, method, addresses, started_ms, duration_ms, outcome, cause, network, signaling)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """, arguments: arguments)
            try database.execute(
                sql: "DELETE FROM attempt WHERE id <= (SELECT max(id) FROM attempt) - \(Self.maximumCount)")
            guard attempts > 0 else { return }
            try database.execute(
                sql: """
                    INSERT INTO method_statistics (network, method, attempts, successes, success_ms) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (network, method) DO UPDATE SET
                        attempts = attempts + excluded.attempts,
                        successes = successes + excluded.successes,
                        success_ms = success_ms + min(excluded.success_ms, \(Int64.max) - success_ms)
                    """,
                arguments: [record.network.description, record.method.rawValue, attempts, successes, successes > 0 ? milliseconds : 0])
            try database.execute(
                sql: """
                    DELETE FROM method_statistics WHERE (network, method) IN
                        (SELECT network, method FROM method_statistics ORDER BY attempts DESC LIMIT -1 OFFSET \(Self.maximumStatisticsCount))
                    """)
        }
    }

    public func attempts(with peer: PeerID?, limit: Int) async throws -> [AttemptRecord] {
        let id = peer.map { Data($0.bytes) }
        return try await self.database.read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM attempt WHERE ?1 IS NULL OR peer = ?1 ORDER BY id DESC LIMIT ?2", arguments: [id, max(0, limit)]
            ).compactMap(Self.record)
        }
    }

    public func statistics(in network: NetworkFingerprint?) async throws -> [TraversalMethod: MethodStatistics] {
        try await self.database.read { database in
            var statistics: [TraversalMethod: MethodStatistics] = [:]
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT method, sum(attempts) AS attempts, sum(successes) AS successes, CAST(total(success_ms) AS INTEGER) AS success_ms
                    FROM method_statistics WHERE ?1 IS NULL OR network = ?1 GROUP BY method
                    """, arguments: [network?.description])
            for row in rows {
                // A method of a later version of this software.
                guard let method = TraversalMethod(rawValue: try row.text("method")) else { continue }
                statistics[method] = MethodStatistics(
                    attempts: try row.count("attempts"), successes: try row.count("successes"),
                    successDuration: .milliseconds(try row.integer("success_ms")))
            }
            return statistics
        }
    }

    /// Nil for a method of a later version of this software.
    private static func record(_ row: Row) throws -> AttemptRecord? {
        guard let method = TraversalMethod(rawValue: try row.text("method")) else { return nil }
        let cause = try row.optionalText("cause")
        let outcome: AttemptRecord.Outcome =
            switch try row.text("outcome") {
            case "succeeded": .succeeded
            case "overtaken": cause.map { .unfinished($0) } ?? .overtaken
            default: .failed(cause ?? "unknown")
            }
        return AttemptRecord(
            peer: try PeerID(bytes: row.bytes("peer")), method: method,
            addresses: try row.text("addresses").split(separator: "\n").map { try Multiaddr(String($0)) },
            startedAt: try row.count("started_ms"), duration: .milliseconds(try row.integer("duration_ms")), outcome: outcome,
            network: NetworkFingerprint(description: try row.text("network")), signaling: try row.optionalText("signaling"))
    }

    private static func milliseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? (seconds < 0 ? 0 : .max) : max(0, milliseconds.addingReportingOverflow(attoseconds / 1_000_000_000_000_000).partialValue)
    }
}
