import Synchronization

/// Hands events to every reader, each with a bounded buffer of which the oldest are dropped.
package final class EventBroadcast<Event: Sendable>: Sendable {
    private struct State {
        var readers: [UInt64: AsyncStream<Event>.Continuation] = [:]
        var next: UInt64 = 0
        var droppedCount: UInt64 = 0
        var isFinished = false
    }

    private let bufferCount: Int
    private let state = Mutex(State())

    package init(bufferCount: Int) { self.bufferCount = max(1, bufferCount) }

    /// Events that some reader was too slow for.
    package var droppedCount: UInt64 { self.state.withLock { $0.droppedCount } }

    /// What happens from now on; nothing once finished.
    package func subscribe() -> AsyncStream<Event> {
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(self.bufferCount))
        let id: UInt64? = self.state.withLock { state in
            guard !state.isFinished else { return nil }
            defer { state.next += 1 }
            state.readers[state.next] = continuation
            return state.next
        }
        if let id {
            continuation.onTermination = { [weak self] _ in
                // Later: a task that is being cancelled is locked by the runtime while it calls this, and a yield under our lock waits for that.
                Task { [weak self] in self?.state.withLock { _ = $0.readers.removeValue(forKey: id) } }
            }
        } else {
            continuation.finish()
        }
        return stream
    }

    package func emit(_ event: Event) {
        self.state.withLock { state in
            for reader in state.readers.values {
                if case .dropped = reader.yield(event) { state.droppedCount += 1 }
            }
        }
    }

    package func finish() {
        let readers = self.state.withLock { state in
            state.isFinished = true
            defer { state.readers = [:] }
            return Array(state.readers.values)
        }
        for reader in readers { reader.finish() }
    }
}
