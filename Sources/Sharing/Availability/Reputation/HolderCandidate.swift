public import DIGIdentity

/// What is known of a peer that may have a content, for ``HolderRanking``.
public struct HolderCandidate: Hashable, Sendable {
    /// How it is, or could be, connected.
    public enum Path: String, Hashable, Sendable, CaseIterable, Codable {
        /// There is a direct connection.
        case connected
        /// Its address can be dialed.
        case direct
        /// A hole has to be punched.
        case punched
        /// By way of a relay.
        case relayed
        case unknown
    }

    /// What stands before it.
    public enum NAT: String, Hashable, Sendable, CaseIterable, Codable {
        case none
        /// RFC 4787: endpoint-independent mapping.
        case endpointIndependent
        case addressDependent
        /// Address- and port-dependent mapping.
        case symmetric
        case unknown
    }

    public var peer: PeerID
    public var status: PeerContentStatus
    public var reputation: ReputationScore
    /// Not long ago it has proven to this node itself that it has this content.
    public var hasProven: Bool
    /// On the same local network.
    public var isLocal: Bool
    /// The best way to it that is known.
    public var path: Path
    /// By its own word.
    public var nat: NAT
    /// Round trip; `nil` if unknown.
    public var latency: Duration?

    public init(
        _ peer: PeerID, status: PeerContentStatus = .available, reputation: ReputationScore = .unknown, hasProven: Bool = false, isLocal: Bool = false, path: Path = .unknown, nat: NAT = .unknown,
        latency: Duration? = nil
    ) {
        self.peer = peer
        self.status = status
        self.reputation = reputation
        self.hasProven = hasProven
        self.isLocal = isLocal
        self.path = path
        self.nat = nat
        self.latency = latency
    }
}
