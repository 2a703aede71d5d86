import Synchronization

/// The chunks of a download in progress: what is verified and on disk, growing.
public final class PartialAvailability: ChunkAvailability {
    private struct State {
        var bitmap: ChunkBitmap
        var observers: [UInt64: @Sendable () -> Void] = [:]
        var nextObserver: UInt64 = 0
    }

    private let state: Mutex<State>

    /// - Parameter bitmap: What can be served already.
    public init(_ bitmap: ChunkBitmap) {
        self.state = Mutex(State(bitmap: bitmap))
    }

    /// What can be served now.
    public var heldChunks: ChunkBitmap? { self.state.withLock { $0.bitmap } }

    /// Adds chunks that can be served from now on.
    public func insert(_ chunks: Range<Int>) {
        self.update { $0.insert(chunks) }
    }

    /// Changes the bitmap, best many chunks at a time, and tells the observers.
    public func update(_ body: (inout ChunkBitmap) -> Void) {
        let observers = self.state.withLock { state -> [@Sendable () -> Void] in
            body(&state.bitmap)
            return Array(state.observers.values)
        }
        for observer in observers { observer() }
    }

    /// Calls `changed` after each change, on the thread that made it, until the observation is let go of.
    public func observe(_ changed: @escaping @Sendable () -> Void) -> ChunkAvailabilityObservation? {
        let id = self.state.withLock { state in
            state.nextObserver += 1
            state.observers[state.nextObserver] = changed
            return state.nextObserver
        }
        return ChunkAvailabilityObservation { [weak self] in
            let observer = self?.state.withLock { $0.observers.removeValue(forKey: id) }
            withExtendedLifetime(observer) {}
        }
    }
}
