/// Everything is held.
public struct CompleteAvailability: ChunkAvailability {
    public init() {}

    /// All.
    public var heldChunks: ChunkBitmap? { nil }

    /// Nothing ever changes.
    public func observe(_ changed: @escaping @Sendable () -> Void) -> ChunkAvailabilityObservation? { nil }
}
