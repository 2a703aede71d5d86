/// Keeps an observer of a ``ChunkAvailability`` registered as long as it lives.
public final class ChunkAvailabilityObservation: Sendable {
    private let cancel: @Sendable () -> Void

    public init(cancel: @escaping @Sendable () -> Void) {
        self.cancel = cancel
    }

    deinit { self.cancel() }
}
