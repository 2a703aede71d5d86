/// How much one circuit may carry (circuit-v2, "Reservation", `limit`).
public struct RelayLimit: Hashable, Sendable {
    /// After which the relay ends the circuit, in whole seconds; nil: no limit (0 on the wire).
    public var durationSeconds: UInt32?
    /// Bytes in each direction; nil: no limit (0 on the wire).
    public var byteCount: UInt64?

    /// 0 is taken for no limit, as on the wire.
    public init(durationSeconds: UInt32? = nil, byteCount: UInt64? = nil) {
        self.durationSeconds = durationSeconds == 0 ? nil : durationSeconds
        self.byteCount = byteCount == 0 ? nil : byteCount
    }

    /// Applied by relays that state no limit.
    public static let unlimited = RelayLimit()

    /// Whether everything that `other` allows is allowed.
    public func allows(_ other: RelayLimit) -> Bool {
        let isLongEnough = self.durationSeconds.map { own in other.durationSeconds.map { $0 <= own } ?? false } ?? true
        let isLargeEnough = self.byteCount.map { own in other.byteCount.map { $0 <= own } ?? false } ?? true
        return isLongEnough && isLargeEnough
    }
}
