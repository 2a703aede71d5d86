/// How much an AutoNAT server does for others.
public struct AutoNATServerLimits: Hashable, Sendable {
    /// Requests served in any minute.
    public var requestsPerMinute: Int
    /// The same for one peer.
    public var requestsPerMinutePerPeer: Int
    /// The same for one IPv4 address, or one IPv6 network of 56 bits: a machine may have many identities.
    public var requestsPerMinutePerNetwork: Int
    /// Requests in any minute that make us dial another IP address than the asker's.
    public var dialDataRequestsPerMinute: Int
    /// Requests served at the same time.
    public var concurrentRequests: Int
    /// The same for one peer.
    public var concurrentRequestsPerPeer: Int

    public init(
        requestsPerMinute: Int, requestsPerMinutePerPeer: Int, requestsPerMinutePerNetwork: Int, dialDataRequestsPerMinute: Int,
        concurrentRequests: Int, concurrentRequestsPerPeer: Int
    ) {
        self.requestsPerMinute = requestsPerMinute
        self.requestsPerMinutePerPeer = requestsPerMinutePerPeer
        self.requestsPerMinutePerNetwork = requestsPerMinutePerNetwork
        self.dialDataRequestsPerMinute = dialDataRequestsPerMinute
        self.concurrentRequests = concurrentRequests
        self.concurrentRequestsPerPeer = concurrentRequestsPerPeer
    }

    /// What go-libp2p serves, and a limit for one network beside it.
    public static let v2 = Self(
        requestsPerMinute: 60, requestsPerMinutePerPeer: 12, requestsPerMinutePerNetwork: 24, dialDataRequestsPerMinute: 12,
        concurrentRequests: 32, concurrentRequestsPerPeer: 2)
    /// What go-libp2p serves, and a limit for one network beside it.
    public static let v1 = Self(
        requestsPerMinute: 30, requestsPerMinutePerPeer: 3, requestsPerMinutePerNetwork: 9, dialDataRequestsPerMinute: 0,
        concurrentRequests: 16, concurrentRequestsPerPeer: 1)
}
