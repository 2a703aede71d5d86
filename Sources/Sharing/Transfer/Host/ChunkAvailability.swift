/// Which chunks of a file can be served now.
public protocol ChunkAvailability: Sendable {
    /// The chunks held, in the layout of ``HostedFile/chunkLayer``. Nil: all of them.
    var heldChunks: ChunkBitmap? { get }

    /// Calls `changed` after each change until the observation is let go. It may be called on any thread and must not block.
    ///
    /// - Returns: Nil if nothing will ever change.
    func observe(_ changed: @escaping @Sendable () -> Void) -> ChunkAvailabilityObservation?
}
