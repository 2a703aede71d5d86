/// Keeps an observer of a ``ChunkAvailability`` registered as long as it lives.
public final class ChunkAvailabilityObservation: Sendable {
    private let cancel: @Sendable () -> Void

    /// - Parameter cancel: Called once, when the observation is let go of.
    public init(cancel: @escaping @Sendable () -> Void) {
        self.cancel = cancel
    }

    deinit { self.cancel() }
}
