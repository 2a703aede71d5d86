import Synchronization

/// Hands events to every reader, each with a bounded buffer.
final class PunchEventHub: Sendable {
    private struct State {
        var readers: [UInt64: AsyncStream<PunchEvent>.Continuation] = [:]
        var next: UInt64 = 0
    }

    private let bufferCount: Int
    private let state = Mutex(State())

    init(bufferCount: Int) { self.bufferCount = max(1, bufferCount) }

    func subscribe() -> AsyncStream<PunchEvent> {
        let (stream, continuation) = AsyncStream.makeStream(of: PunchEvent.self, bufferingPolicy: .bufferingNewest(self.bufferCount))
        let id = self.state.withLock { state in
            defer { state.next += 1 }
            state.readers[state.next] = continuation
            return state.next
        }
        continuation.onTermination = { [weak self] _ in
            // Later: a task that is being cancelled is locked by the runtime while it calls this, and a yield under our lock waits for that.
            Task { [weak self] in self?.state.withLock { _ = $0.readers.removeValue(forKey: id) } }
        }
        return stream
    }

    func emit(_ event: PunchEvent) {
        self.state.withLock { state in
            for reader in state.readers.values { reader.yield(event) }
        }
    }
}
