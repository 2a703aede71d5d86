public import DIGIdentity
public import DIGMultiformats
public import DIGNet

/// What changes in a ``Swarm``.
public enum SwarmEvent: Sendable {
    /// The first connection to a peer is open.
    case connected(any Connection)
    /// The last connection to a peer is gone.
    case disconnected(PeerID)
    /// A peer has said something about itself, when the connection was made or later.
    case identified(IdentifyInfo)
    /// ``Swarm/announcedAddresses`` is different.
    case listenAddressesChanged
    /// This direct connection takes the place of a relayed one: new streams belong on it. The relayed one closes when its streams have ended.
    case upgraded(any Connection)
    /// A peer says that it sees this node at an address, on a direct connection. The peer's word only.
    case observed(Multiaddr, on: any Connection)
}

/// The events from now on. A slow reader misses the oldest ones beyond ``SwarmConfiguration/eventBufferCount``.
public struct SwarmEvents: AsyncSequence, Sendable {
    public typealias Element = SwarmEvent
    public typealias Failure = Never

    let stream: AsyncStream<SwarmEvent>

    public func makeAsyncIterator() -> Iterator { Iterator(base: self.stream.makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
        var base: AsyncStream<SwarmEvent>.Iterator

        public mutating func next() async -> SwarmEvent? { await self.base.next() }
        public mutating func next(isolation actor: isolated (any Actor)?) async -> SwarmEvent? { await self.base.next(isolation: actor) }
    }
}
