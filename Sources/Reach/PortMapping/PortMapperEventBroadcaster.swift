import Synchronization

/// Hands each event to every reader.
final class PortMapperEventBroadcaster: Sendable {
    private let bufferCount: Int
    private let state = Mutex<(readers: [UInt64: AsyncStream<PortMapperEvent>.Continuation], next: UInt64)>(([:], 0))

    init(bufferCount: Int) {
        self.bufferCount = max(bufferCount, 1)
    }

    func subscribe() -> AsyncStream<PortMapperEvent> {
        let (stream, continuation) = AsyncStream.makeStream(of: PortMapperEvent.self, bufferingPolicy: .bufferingNewest(self.bufferCount))
        let reader = self.state.withLock { state in
            let reader = state.next
            state.next += 1
            state.readers[reader] = continuation
            return reader
        }
        continuation.onTermination = { [weak self] _ in
            // Later: a task that is being cancelled is locked by the runtime while it calls this, and a yield under our lock waits for that.
            Task { [weak self] in self?.state.withLock { _ = $0.readers.removeValue(forKey: reader) } }
        }
        return stream
    }

    func publish(_ event: PortMapperEvent) {
        self.state.withLock { state in
            for reader in state.readers.values { reader.yield(event) }
        }
    }

    func finish() {
        let readers = self.state.withLock { state in
            defer { state.readers.removeAll() }
            return Array(state.readers.values)
        }
        // Not under the lock: the end of a stream calls back.
        for reader in readers { reader.finish() }
    }
}
