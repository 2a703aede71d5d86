public import DIGMultiformats

/// The addresses through relays: those there are, then each time they change. A slow reader misses the ones between.
public struct RelayAddresses: AsyncSequence, Sendable {
    public typealias Element = [Multiaddr]
    public typealias Failure = Never

    let stream: AsyncStream<[Multiaddr]>

    public func makeAsyncIterator() -> Iterator { Iterator(base: self.stream.makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
        var base: AsyncStream<[Multiaddr]>.Iterator

        public mutating func next() async -> [Multiaddr]? { await self.base.next() }
        public mutating func next(isolation actor: isolated (any Actor)?) async -> [Multiaddr]? { await self.base.next(isolation: actor) }
    }
}
