/// Everything is held.
public struct CompleteAvailability: ChunkAvailability {
    public init() {}

    public var heldChunks: ChunkBitmap? { nil }

    public func observe(_ changed: @escaping @Sendable () -> Void) -> ChunkAvailabilityObservation? { nil }
}
