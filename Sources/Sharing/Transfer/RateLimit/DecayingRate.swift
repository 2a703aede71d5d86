public import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A byte rate that forgets: each byte's weight falls to 1/e in ``timeConstant``.
public struct DecayingRate: Hashable, Sendable {
    /// Short enough to follow a change, long enough to be read by a person.
    public static let timeConstant: Duration = .seconds(3)

    /// All bytes counted.
    public private(set) var byteCount: UInt64 = 0
    private var rate = 0.0
    private var updatedAt: NIODeadline?

    public init() {}

    /// Counts bytes that moved at `now`. Negative counts are none.
    public mutating func record(_ byteCount: Int, now: NIODeadline) {
        self.rate = self.bytesPerSecond(now: now) + Double(byteCount) / Self.timeConstant.seconds
        self.updatedAt = now
        self.byteCount &+= UInt64(max(0, byteCount))
    }

    /// The rate at `now`.
    public func bytesPerSecond(now: NIODeadline) -> Double {
        guard let updatedAt = self.updatedAt, now > updatedAt else { return self.rate }
        return self.rate * exp(-Double((now - updatedAt).nanoseconds) / 1e9 / Self.timeConstant.seconds)
    }
}
