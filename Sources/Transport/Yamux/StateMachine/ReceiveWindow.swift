import NIOCore

/// What the peer may send on one stream, and when to allow more.
///
/// ```
///   ├──────── credit ────────┼──── buffered ────┼──── read, not credited ────┤
///   0                                                                     target
/// ```
/// The peer is credited again once half of `target` is read. If it used that up within ``growthRoundTrips`` round trips, the window
/// is what holds it back, and `target` doubles (as go-yamux and rust-yamux do).
struct ReceiveWindow {
    /// hashicorp/yamux spec, "Flow Control".
    static let initialByteCount: UInt32 = 256 * 1024
    /// Ours, go-yamux's too; rust-yamux takes 2.
    static let growthRoundTrips: Int64 = 4

    /// The most the peer may have outstanding.
    private(set) var target = ReceiveWindow.initialByteCount
    /// What the peer may still send.
    private(set) var credit = ReceiveWindow.initialByteCount
    /// Received and not read. `credit + buffered` never exceeds `target`.
    private(set) var buffered: UInt32 = 0
    private var creditedAt: NIODeadline

    init(now: NIODeadline) {
        self.creditedAt = now
    }

    /// How far the window has grown.
    var growth: UInt32 { self.target - Self.initialByteCount }

    /// False if the peer had no credit for so many bytes.
    mutating func received(_ byteCount: UInt32) -> Bool {
        guard byteCount <= self.credit else { return false }
        self.credit -= byteCount
        self.buffered += byteCount
        return true
    }

    /// - Parameters:
    ///   - growthAllowance: By how much the window may grow; reduced by how much it did.
    /// - Returns: The credit to send, nil while it is not worth a frame.
    mutating func read(
        _ byteCount: UInt32, now: NIODeadline, roundTrip: TimeAmount?, maximum: UInt32, growthAllowance: inout Int
    ) -> UInt32? {
        self.buffered -= min(byteCount, self.buffered)
        let due = self.target - self.credit - self.buffered
        guard due >= self.target / 2 else { return nil }
        if let roundTrip, self.target < maximum, now - self.creditedAt < roundTrip * Self.growthRoundTrips {
            let growth = min(self.target, maximum - self.target)
            if Int(growth) <= growthAllowance {
                growthAllowance -= Int(growth)
                self.target += growth
            }
        }
        self.creditedAt = now
        let update = self.target - self.credit - self.buffered
        self.credit += update
        return update
    }
}
