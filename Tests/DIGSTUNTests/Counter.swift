import Synchronization

/// 1, 2, 3, …
final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    func next() -> Int { self.value.add(1, ordering: .relaxed).newValue }
}

/// Something happened, perhaps several times; each wait takes one.
final class Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (self.stream, self.continuation) = AsyncStream.makeStream() }
    func send() { self.continuation.yield() }
    func wait() async { for await _ in self.stream { return } }
}
