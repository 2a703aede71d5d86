import Synchronization

/// Hands host events to every reader, each with a bounded buffer; a new reader begins with the latest of those before.
final class HostEventHub: Sendable {
    /// Events a new reader is given of the past, and events kept for a slow one; the oldest are dropped.
    static let bufferCount = 1024

    private struct State {
        var latest: [HostEvent] = []
        var readers: [UInt64: AsyncStream<HostEvent>.Continuation] = [:]
        var nextReader: UInt64 = 0
        var isFinished = false
    }

    private let state = Mutex(State())

    func subscribe() -> AsyncStream<HostEvent> {
        let (stream, continuation) = AsyncStream.makeStream(of: HostEvent.self, bufferingPolicy: .bufferingNewest(Self.bufferCount))
        let reader = self.state.withLock { state -> UInt64? in
            // Under the lock, so that nothing newer gets in before; yielding calls nobody back.
            for event in state.latest { continuation.yield(event) }
            guard !state.isFinished else { return nil }
            defer { state.nextReader += 1 }
            state.readers[state.nextReader] = continuation
            return state.nextReader
        }
        if let reader {
            continuation.onTermination = { [weak self] _ in
                // Later: a task that is being cancelled is locked by the runtime while it calls this, and a yield under our lock waits for that.
                Task { [weak self] in self?.state.withLock { _ = $0.readers.removeValue(forKey: reader) } }
            }
        } else {
            continuation.finish()
        }
        return stream
    }

    func emit(_ event: HostEvent) {
        self.state.withLock { state in
            // Cut in batches, so that an event costs no move of the whole list.
            if state.latest.count >= 2 * Self.bufferCount { state.latest.removeFirst(Self.bufferCount) }
            state.latest.append(event)
            for reader in state.readers.values { reader.yield(event) }
        }
    }

    /// Nothing more will happen: every reader ends with what it has not read yet.
    func finish() {
        let readers = self.state.withLock { state in
            state.isFinished = true
            defer { state.readers = [:] }
            return Array(state.readers.values)
        }
        // Not under the lock: the end of a stream calls back.
        for reader in readers { reader.finish() }
    }
}
