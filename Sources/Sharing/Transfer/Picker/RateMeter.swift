/// Measures bytes per second over a sliding window, in ten slices.
///
/// The window is long enough to smooth bursts and short enough to notice that a link changed within a few seconds.
struct RateMeter: Sendable {
    typealias Instant = ContinuousClock.Instant

    static let sliceCount = 10
    private let sliceLength: Duration
    private var slices = Array(repeating: 0, count: Self.sliceCount)
    private var current = 0
    private var currentStart: Instant
    private let start: Instant

    /// - Parameter window: What the rate is the mean over.
    init(window: Duration = .seconds(3), now: Instant) {
        self.sliceLength = window / Self.sliceCount
        self.currentStart = now
        self.start = now
    }

    mutating func record(_ byteCount: Int, now: Instant) {
        self.advance(to: now)
        self.slices[self.current] += byteCount
    }

    /// Bytes per second over the window, or since the start if that is shorter. Zero before anything was recorded.
    mutating func rate(now: Instant) -> Double {
        self.advance(to: now)
        let sum = self.slices.reduce(0, +)
        guard sum > 0 else { return 0 }
        let inSlice = now - self.currentStart
        let span = min(self.sliceLength * (Self.sliceCount - 1) + inSlice, now - self.start)
        // Less than a millisecond says nothing about a rate.
        return Double(sum) / max(span.seconds, 0.001)
    }

    private mutating func advance(to now: Instant) {
        guard now - self.currentStart >= self.sliceLength else { return }
        let steps = Int(min(Double(Self.sliceCount), (now - self.currentStart).seconds / self.sliceLength.seconds))
        for _ in 0..<steps {
            self.current = (self.current + 1) % Self.sliceCount
            self.slices[self.current] = 0
        }
        if steps == Self.sliceCount {
            self.currentStart = now
        } else {
            self.currentStart += self.sliceLength * steps
        }
    }
}

extension Duration {
    /// As a fraction of a second: for rates, never for deadlines.
    var seconds: Double {
        let (seconds, attoseconds) = self.components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
