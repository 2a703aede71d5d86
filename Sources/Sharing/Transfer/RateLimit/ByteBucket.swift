public import NIOCore

/// Spreads bytes over time: a sustained rate, and a burst after a pause.
///
/// Bytes are reserved in units that the caller chooses, a frame or a read. Each reservation is told when it may go; later ones queue behind
/// it, so many users of one bucket are served in the order they asked. A unit larger than the burst still goes whole. Over any span of
/// `t` seconds at most `t × rate + burst + one unit` bytes pass.
public struct ByteBucket: Hashable, Sendable {
    /// At least 1.
    public let bytesPerSecond: Int
    /// How much may go at once after a pause, in bytes.
    public let burstByteCount: Int
    /// When everything reserved so far is paid for, in nanoseconds of ``NIODeadline``.
    private var paidAt: UInt64 = 0

    /// - Parameters:
    ///   - bytesPerSecond: The sustained rate. Values below 1 count as 1.
    ///   - burstByteCount: Default: a quarter of a second at the rate, at least 64 KiB.
    public init(bytesPerSecond: Int, burstByteCount: Int? = nil) {
        self.bytesPerSecond = max(1, bytesPerSecond)
        self.burstByteCount = max(0, burstByteCount ?? max(64 * 1024, self.bytesPerSecond / 4))
    }

    /// Takes `byteCount` out of the bucket.
    ///
    /// - Returns: When the bytes may go: `now` or later.
    public mutating func reserve(_ byteCount: Int, now: NIODeadline) -> NIODeadline {
        let readyAt = self.readyAt(now: now)
        self.paidAt = Self.sum(max(self.paidAt, now.uptimeNanoseconds), self.nanoseconds(for: byteCount))
        return readyAt
    }

    /// Gives back a reservation that is not used.
    public mutating func refund(_ byteCount: Int) {
        let refund = self.nanoseconds(for: byteCount)
        self.paidAt = self.paidAt > refund ? self.paidAt - refund : 0
    }

    /// When the next unit may go, were it reserved now.
    public func readyAt(now: NIODeadline) -> NIODeadline {
        let burst = self.nanoseconds(for: self.burstByteCount)
        let earliest = self.paidAt > burst ? self.paidAt - burst : 0
        return max(now, .uptimeNanoseconds(earliest))
    }

    /// How many bytes may go now without delay.
    public func availableByteCount(now: NIODeadline) -> Int {
        let now = now.uptimeNanoseconds
        let owed = self.paidAt > now ? Double(self.paidAt - now) / 1e9 * Double(self.bytesPerSecond) : 0
        return max(0, self.burstByteCount - Int(min(owed, Double(self.burstByteCount))))
    }

    /// A bucket of another rate that owes what this one owes.
    public func withRate(bytesPerSecond: Int, burstByteCount: Int? = nil, now: NIODeadline) -> Self {
        var other = Self(bytesPerSecond: bytesPerSecond, burstByteCount: burstByteCount)
        let now = now.uptimeNanoseconds
        if self.paidAt > now {
            let owed = Double(self.paidAt - now) / Double(other.bytesPerSecond) * Double(self.bytesPerSecond)
            other.paidAt = Self.sum(now, Self.clamped(owed))
        }
        return other
    }

    private func nanoseconds(for byteCount: Int) -> UInt64 {
        Self.clamped(Double(max(0, byteCount)) / Double(self.bytesPerSecond) * 1e9)
    }

    /// A hundred years are long enough and never overflow.
    private static func clamped(_ nanoseconds: Double) -> UInt64 { UInt64(min(max(0, nanoseconds), 3.2e18)) }

    private static func sum(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? UInt64(Int64.max) : min(sum, UInt64(Int64.max))
    }
}
