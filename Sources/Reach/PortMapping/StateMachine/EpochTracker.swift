/// Notices from a gateway's clock that it has forgotten its mappings.
struct EpochTracker: Sendable {
    typealias Instant = ContinuousClock.Instant

    private enum Rule { case natpmp, pcp }
    private let rule: Rule
    private var last: (epoch: UInt32, at: Instant)?

    static func natpmp() -> Self { Self(rule: .natpmp) }
    static func pcp() -> Self { Self(rule: .pcp) }
    private init(rule: Rule) { self.rule = rule }

    /// - Returns: Whether the gateway has restarted, or lost its mappings in another way, since the last call.
    mutating func received(_ epoch: UInt32, now: Instant) -> Bool {
        defer { self.last = (epoch, now) }
        guard let last = self.last else { return false }
        let elapsed = Self.seconds(max(.zero, now - last.at))
        let current = Double(epoch)
        let previous = Double(last.epoch)
        switch self.rule {
        case .natpmp:
            // RFC 6886 §3.6: seven eighths of the time that has passed, and two seconds less.
            return current + 2 < previous + elapsed * 7 / 8
        case .pcp:
            // RFC 6887 §8.5: not back by more than a second, and in step with our clock to a sixteenth and two seconds.
            if current + 1 < previous { return true }
            let delta = current - previous
            return elapsed + 2 < delta - delta / 16 || delta + 2 < elapsed - elapsed / 16
        }
    }

    private static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
