/// What a search finds, as it is found; see ``PeerDiscoveryManager/find(_:options:)``.
///
/// For one reader. The search goes on while nobody reads, up to its bounds, and ends when the reader stops: by leaving the loop, by being cancelled, or by
/// letting go of this value.
public struct HolderSearch: AsyncSequence, Sendable {
    public typealias Element = DiscoveryEvent
    public typealias Failure = Never

    /// Cancels the search when the last reader is gone.
    final class Token: Sendable {
        let runner: SearchRunner
        init(_ runner: SearchRunner) { self.runner = runner }
        deinit { self.runner.cancel() }
    }

    let token: Token

    init(_ runner: SearchRunner) { self.token = Token(runner) }

    public func makeAsyncIterator() -> Iterator { Iterator(token: self.token) }

    /// Ends the search. Who reads gets no more.
    public func cancel() { self.token.runner.cancel() }

    public struct Iterator: AsyncIteratorProtocol {
        let token: Token

        public mutating func next() async -> DiscoveryEvent? { await self.token.runner.next() }
        public mutating func next(isolation actor: isolated (any Actor)?) async -> DiscoveryEvent? { await self.token.runner.next() }
    }
}
