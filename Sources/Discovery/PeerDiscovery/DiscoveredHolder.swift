public import DIGIdentity
public import DIGMultiformats

/// A peer that has the content, or may have it, with everything that all mechanisms together know of it.
///
/// Nothing of it is proven before a handshake, and that it has the content not before it has given a block.
public struct DiscoveredHolder: Hashable, Sendable {
    /// An address, and who named it.
    public struct Address: Hashable, Sendable {
        /// Without `/p2p/…` of the holder.
        public var address: Multiaddr
        /// Who has named it, in the order in which they did.
        public var sources: [DiscoverySource]
        /// The holder has signed that this is its address.
        public var isSigned: Bool

        public init(_ address: Multiaddr, sources: [DiscoverySource], isSigned: Bool) {
            self.address = address
            self.sources = sources
            self.isSigned = isSigned
        }
    }

    public var peer: PeerID
    /// Those that the holder has signed come first.
    public var knownAddresses: [Address]
    /// Who has found it, in the order in which they did.
    public var sources: [DiscoverySource]
    /// Somebody says that the peer has the content. False: it is merely near by.
    public var isClaimed: Bool
    /// After the beginning of the search.
    public var firstSeen: Duration

    public init(peer: PeerID, knownAddresses: [Address], sources: [DiscoverySource], isClaimed: Bool, firstSeen: Duration) {
        self.peer = peer
        self.knownAddresses = knownAddresses
        self.sources = sources
        self.isClaimed = isClaimed
        self.firstSeen = firstSeen
    }

    /// The union of what all mechanisms have said.
    public var addresses: [Multiaddr] { self.knownAddresses.map(\.address) }

    /// What one mechanism has said. A private address may be dialed if ``DiscoverySource/local`` has named it, but not on a stranger's word.
    public func addresses(from source: DiscoverySource) -> [Multiaddr] {
        self.knownAddresses.lazy.filter { $0.sources.contains(source) }.map(\.address)
    }
}
