/// Whether others get through to one address of this node.
public enum AddressReachability: Hashable, Sendable {
    /// Too few servers have been asked, or they disagree.
    case unknown
    case reachable(since: ContinuousClock.Instant)
    case unreachable(since: ContinuousClock.Instant)

    public var isReachable: Bool { if case .reachable = self { true } else { false } }
    public var isUnreachable: Bool { if case .unreachable = self { true } else { false } }
}

/// Whether others get through to this node.
public enum NodeReachability: String, Hashable, Sendable {
    /// Not known yet; or known only of hosts that this node has sent something to before, which some NATs let in and no others.
    case unknown
    /// At an address of this node, also those get through that it has never heard of.
    case `public`
    /// At none.
    case `private`
}
