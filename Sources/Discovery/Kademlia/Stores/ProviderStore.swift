import DequeModule
import DIGIdentity
import OrderedCollections

/// Who has what, as told by the providers themselves. Bounded for each key, for each source and in all.
struct ProviderStore: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Source: Hashable, Sendable {
        var network: NetworkGroup?
        /// Where the network does not count.
        var provider: PeerID?

        init(_ provider: PeerID, _ network: NetworkGroup?) {
            self.network = network
            self.provider = network == nil ? provider : nil
        }
    }

    private struct Record: Sendable {
        var stored: StoredProvider
        var network: NetworkGroup?
        var admission: UInt64
    }

    private struct Admission: Sendable {
        var key: [UInt8]
        var provider: PeerID
        var number: UInt64
    }

    private struct Withdrawal: Hashable, Sendable {
        var key: [UInt8]
        var provider: PeerID
    }

    enum Addition: Hashable, Sendable {
        case added
        case updated
        /// A newer statement of the provider is here, or was withdrawn with.
        case outdated
        case expired
        /// Its source has too many.
        case refused
    }

    private let configuration: ProviderStoreConfiguration
    /// In the order of admission.
    private var records: [[UInt8]: [Record]] = [:]
    private var sources: [Source: Int] = [:]
    /// The order in which records came; some are gone.
    private var admissions: Deque<Admission> = []
    private var nextAdmission: UInt64 = 0
    /// What was taken back, so that an announcement which was overtaken does not bring it up again.
    private var withdrawals: OrderedDictionary<Withdrawal, (sequence: UInt64, until: Instant)> = [:]
    private(set) var count = 0
    /// Records that went before their time.
    private(set) var evictedCount: UInt64 = 0

    init(configuration: ProviderStoreConfiguration = .init()) { self.configuration = configuration }

    var keyCount: Int { self.records.count }

    /// - Parameter network: Where the provider came from.
    mutating func add(_ provider: StoredProvider, under key: [UInt8], network: NetworkGroup?, now: Instant) -> Addition {
        var provider = provider
        provider.expiresAt = min(provider.expiresAt, now + self.configuration.maximumLifetime)
        guard provider.expiresAt > now else { return .expired }
        if let withdrawal = self.withdrawals[Withdrawal(key: key, provider: provider.provider)], withdrawal.until > now,
            provider.sequence <= withdrawal.sequence
        {
            return .outdated
        }
        var list = self.records[key] ?? []
        if let position = list.firstIndex(where: { $0.stored.provider == provider.provider }) {
            guard provider.sequence >= list[position].stored.sequence else { return .outdated }
            list[position].stored = provider
            self.records[key] = list
            return .updated
        }
        let source = Source(provider.provider, network)
        guard self.sources[source, default: 0] < self.configuration.maximumRecordsPerSource else { return .refused }
        if let network, list.count(where: { $0.network == network }) >= self.configuration.maximumProvidersPerKeyAndNetwork,
            let oldest = list.firstIndex(where: { $0.network == network })
        {
            self.forget(list.remove(at: oldest), isEvicted: true)
        } else if list.count >= self.configuration.maximumProvidersPerKey,
            let victim = FairEviction.victim(among: list.map(\.network), for: network)
        {
            self.forget(list.remove(at: victim), isEvicted: true)
        }
        self.nextAdmission += 1
        list.append(Record(stored: provider, network: network, admission: self.nextAdmission))
        self.records[key] = list
        self.admissions.append(Admission(key: key, provider: provider.provider, number: self.nextAdmission))
        self.sources[source, default: 0] += 1
        self.count += 1
        while self.count > self.configuration.maximumRecords { self.removeOldest() }
        self.tidyAdmissions()
        return .added
    }

    /// Providers of `key`, at most `limit`; of more, others each time.
    func providers(of key: [UInt8], limit: Int, now: Instant, using generator: inout some RandomNumberGenerator) -> [StoredProvider] {
        let living = (self.records[key] ?? []).lazy.filter { $0.stored.expiresAt > now }.map(\.stored)
        guard living.count > limit else { return Array(living) }
        return Array(living.shuffled(using: &generator).prefix(limit))
    }

    /// The provider says that it is none any more.
    ///
    /// - Parameter until: When no statement from before can be valid any more; it is remembered until then.
    mutating func withdraw(_ provider: PeerID, under key: [UInt8], sequence: UInt64, until: Instant, now: Instant) {
        self.remove(provider, under: key, sequence: sequence)
        let withdrawal = Withdrawal(key: key, provider: provider)
        guard self.withdrawals[withdrawal].map({ $0.sequence < sequence }) ?? true else { return }
        self.withdrawals[withdrawal] = (sequence, min(until, now + self.configuration.maximumLifetime))
        if self.withdrawals.count > self.configuration.maximumWithdrawals { self.withdrawals.removeFirst() }
    }

    var withdrawalCount: Int { self.withdrawals.count }

    /// Forgets a provider whose statement here is not newer than that.
    @discardableResult
    mutating func remove(_ provider: PeerID, under key: [UInt8], sequence: UInt64) -> Bool {
        guard var list = self.records[key], let position = list.firstIndex(where: { $0.stored.provider == provider }),
            list[position].stored.sequence <= sequence
        else { return false }
        self.forget(list.remove(at: position), isEvicted: false)
        self.records[key] = list.isEmpty ? nil : list
        return true
    }

    /// Drops what is over.
    mutating func expire(now: Instant) {
        self.withdrawals.removeAll { $0.value.until <= now }
        for key in Array(self.records.keys) {
            guard let list = self.records[key], list.contains(where: { $0.stored.expiresAt <= now }) else { continue }
            for record in list where record.stored.expiresAt <= now { self.forget(record, isEvicted: false) }
            let left = list.filter { $0.stored.expiresAt > now }
            self.records[key] = left.isEmpty ? nil : left
        }
        self.tidyAdmissions()
    }

    /// Everything, for saving.
    var all: [(key: [UInt8], provider: StoredProvider, network: NetworkGroup?)] {
        self.records.flatMap { key, list in list.map { (key, $0.stored, $0.network) } }
    }

    private mutating func removeOldest() {
        guard let oldest = self.admissions.popFirst() else { return }
        guard var list = self.records[oldest.key], let position = list.firstIndex(where: { $0.admission == oldest.number }) else { return }
        self.forget(list.remove(at: position), isEvicted: true)
        self.records[oldest.key] = list.isEmpty ? nil : list
    }

    private mutating func forget(_ record: Record, isEvicted: Bool) {
        let source = Source(record.stored.provider, record.network)
        let count = self.sources[source, default: 0] - 1
        self.sources[source] = count > 0 ? count : nil
        self.count -= 1
        if isEvicted { self.evictedCount += 1 }
    }

    /// Keeps the order from outgrowing what it is the order of.
    private mutating func tidyAdmissions() {
        guard self.admissions.count > 1024, self.admissions.count > self.count * 2 else { return }
        self.admissions = Deque(
            self.admissions.filter { admission in self.records[admission.key]?.contains { $0.admission == admission.number } ?? false })
    }
}
