import OrderedCollections
import DIGIdentity

/// Values kept for others, one under each key.
struct ValueStore: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// Who brought a value.
    struct Source: Hashable, Sendable {
        private var network: NetworkGroup?
        private var peer: PeerID?

        init(_ peer: PeerID, _ network: NetworkGroup?) {
            self.network = network
            self.peer = network == nil ? peer : nil
        }
    }

    struct Stored: Sendable {
        var record: ValueRecord
        var expiresAt: Instant
        fileprivate var source: Source
        fileprivate var byteCount: Int { self.record.key.count + self.record.value.count }
    }

    private let configuration: ValueStoreConfiguration
    /// In the order of admission.
    private var values: OrderedDictionary<[UInt8], Stored> = [:]
    private var sources: [Source: Int] = [:]
    private(set) var byteCount = 0
    private(set) var evictedCount: UInt64 = 0

    init(configuration: ValueStoreConfiguration = .init()) { self.configuration = configuration }

    var count: Int { self.values.count }

    func value(under key: [UInt8], now: Instant) -> ValueRecord? {
        guard let stored = self.values[key], stored.expiresAt > now else { return nil }
        return stored.record
    }

    /// Stores a value that was found valid and better than the one here.
    ///
    /// - Returns: False if it is too long, over, or its source has too many.
    mutating func store(_ record: ValueRecord, expiresAt: Instant, source: Source, now: Instant) -> Bool {
        let expiresAt = min(expiresAt, now + self.configuration.maximumLifetime)
        guard expiresAt > now, record.value.count <= self.configuration.maximumValueByteCount else { return false }
        if let old = self.values[record.key] {
            self.byteCount -= old.byteCount
            self.count(old.source, by: -1)
            self.values[record.key] = Stored(record: record, expiresAt: expiresAt, source: source)
        } else {
            guard self.sources[source, default: 0] < self.configuration.maximumValuesPerSource else { return false }
            self.values[record.key] = Stored(record: record, expiresAt: expiresAt, source: source)
        }
        self.count(source, by: 1)
        self.byteCount += record.key.count + record.value.count
        while self.values.count > self.configuration.maximumValues || self.byteCount > self.configuration.maximumByteCount {
            self.forget(self.values.removeFirst().value)
            self.evictedCount += 1
        }
        return true
    }

    mutating func expire(now: Instant) {
        for stored in self.values.values where stored.expiresAt <= now { self.forget(stored) }
        self.values.removeAll { $0.value.expiresAt <= now }
    }

    var all: [Stored] { Array(self.values.values) }

    private mutating func forget(_ stored: Stored) {
        self.byteCount -= stored.byteCount
        self.count(stored.source, by: -1)
    }

    private mutating func count(_ source: Source, by change: Int) {
        let count = self.sources[source, default: 0] + change
        self.sources[source] = count > 0 ? count : nil
    }
}
