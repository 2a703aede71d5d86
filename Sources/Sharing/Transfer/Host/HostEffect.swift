import DIGContent

/// What a session asks of its surroundings.
enum HostEffect: Sendable {
    /// Call ``HostSessionStateMachine/availabilityChanged(handle:generation:)`` after each change.
    case observe(handle: UInt32, generation: UInt64, any ChunkAvailability)
    case stopObserving(handle: UInt32)
    /// The file on disk is not the one that was hashed.
    case contentChanged(ContentHash)
}
