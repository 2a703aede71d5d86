/// Bytes per second over the last seconds, from counts that only grow.
///
/// The rate shown follows the last ``rateWindow``; the time left is taken from the longer ``etaWindow`` so that it doesn't jump.
public struct RateEstimator: Sendable {
    public typealias Instant = ContinuousClock.Instant

    public static let rateWindow: Duration = .seconds(3)
    public static let etaWindow: Duration = .seconds(20)
    /// Samples closer together than this replace one another, which bounds the table to 200.
    static let resolution: Duration = .milliseconds(100)

    private struct Sample {
        var instant: Instant
        var byteCount: UInt64
    }
    private var samples: [Sample] = []

    public init() {}

    public mutating func record(_ byteCount: UInt64, at now: Instant) {
        // A transfer that starts again counts from there.
        if let last = self.samples.last, byteCount < last.byteCount || now < last.instant { self.samples.removeAll() }
        if self.samples.count >= 2, now - self.samples[self.samples.count - 2].instant < Self.resolution {
            self.samples.removeLast()
        }
        self.samples.append(Sample(instant: now, byteCount: byteCount))
        // One sample older than the window stays as its beginning.
        let firstInside = self.samples.firstIndex { now - $0.instant <= Self.etaWindow } ?? self.samples.count - 1
        if firstInside > 1 { self.samples.removeFirst(firstInside - 1) }
    }

    /// `nil` until half a second has been seen.
    public func rate(at now: Instant, window: Duration = Self.rateWindow) -> Double? {
        guard let last = self.samples.last else { return nil }
        let begin = self.samples.last { now - $0.instant >= window } ?? self.samples[0]
        let elapsed = DurationText.seconds(now - begin.instant)
        guard elapsed >= 0.5 else { return nil }
        return Double(last.byteCount - begin.byteCount) / elapsed
    }

    /// `nil` while nothing moves: what came before says nothing of when it goes on.
    public func timeLeft(until total: UInt64, at now: Instant) -> Duration? {
        guard let recent = self.rate(at: now), recent >= 1, let last = self.samples.last, let rate = self.rate(at: now, window: Self.etaWindow), rate >= 1 else { return nil }
        guard last.byteCount < total else { return .zero }
        let seconds = Double(total - last.byteCount) / rate
        return .seconds(min(seconds, 1e9))
    }
}
