public import DIGIdentity
import Synchronization

/// Keeps attempts while the process lives: for a node without a database.
public final class MemoryAttemptStore: AttemptStore, Sendable {
    /// The oldest are forgotten beyond this.
    public static let maximumCount = 4096

    private let records = Mutex<[AttemptRecord]>([])

    public init() {}

    public func add(_ record: AttemptRecord) async {
        self.records.withLock { records in
            if records.count >= Self.maximumCount { records.removeFirst(Self.maximumCount / 4) }
            records.append(record)
        }
    }

    public func attempts(with peer: PeerID?, limit: Int) async -> [AttemptRecord] {
        self.records.withLock { records in
            Array(records.reversed().lazy.filter { peer == nil || $0.peer == peer }.prefix(max(0, limit)))
        }
    }

    public func statistics(in network: NetworkFingerprint?) async -> [TraversalMethod: MethodStatistics] {
        self.records.withLock { records in
            var statistics: [TraversalMethod: MethodStatistics] = [:]
            for record in records where network == nil || record.network == network { statistics[record.method, default: .init()].add(record) }
            return statistics
        }
    }
}
