#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#endif

/// How often something went well and how often not, where what is long ago counts less: a Beta distribution with the prior Beta(1, 1).
public struct DecayingBeta: Hashable, Sendable, Codable {
    /// As they were at ``updatedAt``.
    public private(set) var good = 0.0
    public private(set) var bad = 0.0
    /// Milliseconds since 1970.
    public private(set) var updatedAt: UInt64 = 0

    /// Ours: more than this makes no difference, but lets a peer that was good for long be bad for long.
    static let maximumCount = 100.0

    public init() {}

    /// As it was kept; nil for counts that cannot be.
    init?(good: Double, bad: Double, updatedAt: UInt64) {
        let range = 0...Self.maximumCount
        guard range.contains(good), range.contains(bad) else { return nil }
        self.good = good
        self.bad = bad
        self.updatedAt = updatedAt
    }

    public mutating func add(good: Double = 0, bad: Double = 0, nowMilliseconds now: UInt64, halfLife: UInt64) {
        let factor = self.factor(now, halfLife)
        self.good = min(Self.maximumCount, self.good * factor + max(0, good))
        self.bad = min(Self.maximumCount, self.bad * factor + max(0, bad))
        self.updatedAt = max(now, self.updatedAt)
    }

    /// From 0 to 1; 0.5 when nothing is known.
    public func mean(nowMilliseconds now: UInt64, halfLife: UInt64) -> Double {
        let factor = self.factor(now, halfLife)
        return (1 + self.good * factor) / (2 + (self.good + self.bad) * factor)
    }

    /// How much is known.
    public func evidence(nowMilliseconds now: UInt64, halfLife: UInt64) -> Double { (self.good + self.bad) * self.factor(now, halfLife) }

    private func factor(_ now: UInt64, _ halfLife: UInt64) -> Double {
        self.good + self.bad == 0 ? 1 : halved(now.since(self.updatedAt), halfLife)
    }
}

/// What is left of 1 after `age`.
func halved(_ age: UInt64, _ halfLife: UInt64) -> Double {
    age == 0 ? 1 : halfLife == 0 ? 0 : exp2(-Double(age) / Double(halfLife))
}

/// After how long `weight` has fallen to `target`; 0 if it has.
func timeToFall(from weight: Double, to target: Double, _ halfLife: UInt64) -> UInt64 {
    guard weight > target else { return 0 }
    guard target > 0 else { return .max }
    return UInt64((Double(halfLife) * log2(weight / target)).rounded(.up))
}
