import DIGIdentity

/// Counts the requests of the last minute. Holds no more entries than it admits.
struct RequestLimiter {
    typealias Instant = ContinuousClock.Instant

    private struct Entry {
        var peer: PeerID
        var network: HostNetwork?
        var at: Instant
    }

    static let window: Duration = .seconds(60)

    private let limits: AutoNATServerLimits
    private var requests: [Entry] = []
    private var dialDataRequests: [Instant] = []
    private var running: [PeerID: Int] = [:]
    private var runningCount = 0

    init(limits: AutoNATServerLimits) { self.limits = limits }

    /// Counts a request, unless one of the limits is reached. Each one admitted must be ``finished(_:)``.
    ///
    /// - Parameter network: Nil for an asker without an IP address: such requests share one allowance.
    mutating func admit(peer: PeerID, network: HostNetwork?, now: Instant) -> Bool {
        self.requests.removeAll { now - $0.at >= Self.window }
        guard self.runningCount < self.limits.concurrentRequests,
            self.running[peer, default: 0] < self.limits.concurrentRequestsPerPeer,
            self.requests.count < self.limits.requestsPerMinute,
            self.requests.count(where: { $0.peer == peer }) < self.limits.requestsPerMinutePerPeer,
            self.requests.count(where: { $0.network == network }) < self.limits.requestsPerMinutePerNetwork
        else { return false }
        self.requests.append(Entry(peer: peer, network: network, at: now))
        self.running[peer, default: 0] += 1
        self.runningCount += 1
        return true
    }

    mutating func admitDialData(now: Instant) -> Bool {
        self.dialDataRequests.removeAll { now - $0 >= Self.window }
        guard self.dialDataRequests.count < self.limits.dialDataRequestsPerMinute else { return false }
        self.dialDataRequests.append(now)
        return true
    }

    mutating func finished(_ peer: PeerID) {
        guard let count = self.running[peer] else { return }
        self.running[peer] = count > 1 ? count - 1 : nil
        self.runningCount -= 1
    }
}
