/// A value with its state.
public struct GunEntry: Hashable, Sendable {
    public var value: GunValue
    /// Milliseconds since 1970 by the writer's clock, with a fraction that tells writes of the same millisecond apart. Finite.
    public var state: Double

    public init(_ value: GunValue, state: Double) {
        self.value = value
        self.state = state
    }
}
