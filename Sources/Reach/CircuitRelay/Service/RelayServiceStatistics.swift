/// What a ``RelayService`` does and has done.
public struct RelayServiceStatistics: Hashable, Sendable {
    public var isEnabled = false
    /// Held at the moment.
    public var reservations = 0
    /// Open at the moment.
    public var circuits = 0
    /// Since the start, refreshes included.
    public var reservationsGranted: UInt64 = 0
    /// Since the start.
    public var circuitsOpened: UInt64 = 0
    /// Since the start, both directions.
    public var bytesRelayed: UInt64 = 0
    public var refusals: [RelayRefusal: UInt64] = [:]
    /// Circuits that the relay ended itself.
    public var circuitsCut: [CircuitEnd: UInt64] = [:]
    /// Bytes of the day and the month, for the budget.
    public var usage = RelayUsage()

    public init() {}
}

/// Why a relay ended a circuit.
public enum CircuitEnd: String, CaseIterable, Hashable, Sendable {
    case duration
    case byteCount
    case budget
    /// The service was stopped.
    case stopped
}
