import DIGMultiformats
import DIGNet

/// Races the addresses of one peer, after Happy Eyeballs (RFC 8305 §5).
///
/// One attempt starts at once, the next when ``DialConfiguration/attemptDelay`` has passed or as soon as one fails. After each input the
/// owner drains ``poll(now:)``; it polls again when ``deadline`` passes. Early and repeated polls are harmless.
struct DialStateMachine {
    typealias Instant = ContinuousClock.Instant

    /// Counts the attempts of one dial.
    struct AttemptID: Hashable, Comparable {
        var rawValue: Int
        static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    enum Action {
        case start(AttemptID, Multiaddr)
        /// Nothing is left to try. Stop what is under way.
        case fail(DialError)
    }

    private let configuration: DialConfiguration
    private let givesUpAt: Instant
    /// Not started, best first.
    private var waiting: [Multiaddr] = []
    private var running: [AttemptID: Multiaddr] = [:]
    private var failures: [DialError.Attempt] = []
    private var known: Set<Multiaddr> = []
    /// Names whose addresses are asked for.
    private var resolving: Set<Multiaddr> = []
    private var nameCount = 0
    private var startedCount = 0
    /// When the next attempt may start beside those under way.
    private var nextStartAt: Instant
    private var isFinished = false

    init(configuration: DialConfiguration, now: Instant) {
        self.configuration = configuration
        self.givesUpAt = now + configuration.timeout
        self.nextStartAt = now
    }

    /// When to poll next; nil once finished.
    var deadline: Instant? {
        guard !self.isFinished else { return nil }
        guard !self.waiting.isEmpty, self.running.count < self.configuration.maximumParallelAttempts else { return self.givesUpAt }
        return min(self.givesUpAt, self.nextStartAt)
    }

    // MARK: Inputs

    /// More addresses to try. One that was given before is ignored, unless it is a `name` that stands for itself.
    mutating func added(_ addresses: [Multiaddr], resolvedFrom name: Multiaddr? = nil) {
        let new = addresses.filter { self.known.insert($0).inserted || $0 == name }
        guard !new.isEmpty else { return }
        let limit = self.configuration.maximumAddresses - self.startedCount
        let ranked = AddressRanking.ranked(self.waiting + new, limit: limit)
        if ranked.count < self.waiting.count + new.count {
            let kept = Set(ranked)
            for address in self.waiting + new where !kept.contains(address) {
                self.failures.append(.init(address: address, error: ConnectionError(.limitExceeded, "more than \(self.configuration.maximumAddresses) addresses")))
            }
        }
        self.waiting = ranked
    }

    /// An address that can't be tried at all.
    mutating func rejected(_ address: Multiaddr, because error: any Error) {
        guard self.known.insert(address).inserted || self.resolving.contains(address) else { return }
        self.failures.append(.init(address: address, error: error))
    }

    /// The addresses behind the name in `address` are being asked for; ``resolved(_:)`` or ``resolutionFailed(_:because:)`` follows.
    ///
    /// - Returns: Whether the name is new and may be asked for; if not, nothing need be done.
    mutating func resolving(_ address: Multiaddr) -> Bool {
        guard self.known.insert(address).inserted else { return false }
        guard self.nameCount < self.configuration.maximumNames else {
            self.failures.append(.init(address: address, error: ConnectionError(.limitExceeded, "more than \(self.configuration.maximumNames) names")))
            return false
        }
        self.nameCount += 1
        self.resolving.insert(address)
        return true
    }

    mutating func resolved(_ address: Multiaddr) {
        self.resolving.remove(address)
    }

    mutating func resolutionFailed(_ address: Multiaddr, because error: any Error) {
        guard self.resolving.remove(address) != nil else { return }
        self.failures.append(.init(address: address, error: error))
    }

    mutating func attemptFailed(_ id: AttemptID, because error: any Error, now: Instant) {
        guard let address = self.running.removeValue(forKey: id) else { return }
        self.failures.append(.init(address: address, error: error))
        self.nextStartAt = now
    }

    mutating func attemptSucceeded(_ id: AttemptID) {
        self.isFinished = true
    }

    // MARK: Output

    /// The next thing to do; nil when there is nothing until the next input or ``deadline``.
    mutating func poll(now: Instant) -> Action? {
        guard !self.isFinished else { return nil }
        if now >= self.givesUpAt {
            self.isFinished = true
            let error = ConnectionError(.timedOut, "no connection in \(self.configuration.timeout)")
            let abandoned = self.running.sorted { $0.key < $1.key }.map(\.value) + self.resolving + self.waiting
            return .fail(DialError(attempts: self.failures + abandoned.map { .init(address: $0, error: error) }))
        }
        if self.waiting.isEmpty {
            guard self.running.isEmpty, self.resolving.isEmpty else { return nil }
            self.isFinished = true
            return .fail(DialError(attempts: self.failures))
        }
        guard self.running.count < self.configuration.maximumParallelAttempts, now >= self.nextStartAt || self.running.isEmpty else {
            return nil
        }
        let address = self.waiting.removeFirst()
        let id = AttemptID(rawValue: self.startedCount)
        self.startedCount += 1
        self.running[id] = address
        self.nextStartAt = now + self.configuration.attemptDelay
        return .start(id, address)
    }
}
