public import DIGMultiformats

/// An address under which others may reach this node.
public struct ExternalAddress: Hashable, Sendable {
    /// What says so.
    public enum Basis: Int, Hashable, Sendable, Comparable {
        /// This node listens on it: there is no NAT.
        case listening
        /// A router was asked to forward it, and agreed.
        case mapped
        /// Others saw this node there.
        case observed
        /// Others saw this node's IP address; the port is the one it listens on, in case a router forwards it.
        case guessed

        public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    /// Without `/p2p/…`.
    public var address: Multiaddr
    /// Where connections to ``address`` arrive on this machine.
    public var listenAddress: Multiaddr
    public var basis: Basis
    /// Distinct networks that saw it; 0 where nobody had to.
    public var observerCount: Int

    public init(address: Multiaddr, listenAddress: Multiaddr, basis: Basis, observerCount: Int = 0) {
        self.address = address
        self.listenAddress = listenAddress
        self.basis = basis
        self.observerCount = observerCount
    }
}
