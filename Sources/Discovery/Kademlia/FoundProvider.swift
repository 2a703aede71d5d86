public import DIGIdentity
public import DIGMultiformats

/// A peer that says it has what a key stands for.
public struct FoundProvider: Hashable, Sendable {
    public var peer: PeerID
    /// Without `/p2p/…`; may be empty: then ``KademliaService/findPeer(_:)`` may know more.
    public var addresses: [Multiaddr]
    /// The provider has signed that it has it, and its addresses. Otherwise this is what some node says.
    public var isSigned: Bool
    /// The node that named it; this one for a record kept here.
    public var source: PeerID
    /// Nodes asked one after the other until one knew.
    public var hops: Int

    public init(peer: PeerID, addresses: [Multiaddr], isSigned: Bool, source: PeerID, hops: Int) {
        self.peer = peer
        self.addresses = addresses
        self.isSigned = isSigned
        self.source = source
        self.hops = hops
    }
}

/// Providers as they are found. Ends when the lookup does, or enough are found; stopping to read ends the lookup.
public struct ProviderSearch: AsyncSequence, Sendable {
    public typealias Element = FoundProvider
    public typealias Failure = Never

    let stream: AsyncStream<FoundProvider>

    public func makeAsyncIterator() -> Iterator { Iterator(base: self.stream.makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
        var base: AsyncStream<FoundProvider>.Iterator

        public mutating func next() async -> FoundProvider? { await self.base.next() }
        public mutating func next(isolation actor: isolated (any Actor)?) async -> FoundProvider? { await self.base.next(isolation: actor) }
    }
}
