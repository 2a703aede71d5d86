/// Decides what to print about a transfer, and when; the caller prints it.
public struct ProgressPresenter: Sendable {
    public typealias Instant = ContinuousClock.Instant

    public enum Style: Hashable, Sendable {
        /// One line, rewritten in place.
        case bar(Terminal)
        /// A line now and then, for logs.
        case lines
        /// `progress` events.
        case json
        case silent
    }

    /// How often each style says something.
    public static let barInterval: Duration = .milliseconds(100)
    public static let lineInterval: Duration = .seconds(5)
    public static let jsonInterval: Duration = .milliseconds(500)

    public var style: Style
    private var estimator = RateEstimator()
    private var lastOutput: Instant?
    private var barIsShown = false
    private var lastSnapshot: ProgressSnapshot?

    public init(style: Style) {
        self.style = style
    }

    /// - Returns: What to write, line end included, or `nil` if nothing is due.
    public mutating func update(_ snapshot: ProgressSnapshot, now: Instant) -> String? {
        if let last = self.lastSnapshot, last.activity != snapshot.activity || last.name != snapshot.name {
            self.estimator = RateEstimator()
            self.lastOutput = nil
        }
        self.lastSnapshot = snapshot
        self.estimator.record(snapshot.byteCount, at: now)
        if let last = self.lastOutput, now - last < self.interval { return nil }
        let isFirst = self.lastOutput == nil
        self.lastOutput = now
        // The first plain line comes after one interval: most transfers are done by then.
        if isFirst, self.style == .lines { return nil }
        return self.render(snapshot, now: now)
    }

    /// The terminal was resized.
    public mutating func resized(to terminal: Terminal) {
        if case .bar = self.style { self.style = .bar(terminal) }
    }

    /// What to write so that other text can be printed: takes the bar away. The next update brings it back.
    public mutating func interrupted() -> String? {
        guard self.barIsShown else { return nil }
        self.barIsShown = false
        self.lastOutput = nil
        return "\r\u{1B}[K"
    }

    /// The average since the first sample in the window, for a summary.
    public func rate(now: Instant) -> Double? { self.estimator.rate(at: now) }

    private var interval: Duration {
        switch self.style {
        case .bar: Self.barInterval
        case .lines: Self.lineInterval
        case .json: Self.jsonInterval
        case .silent: .zero
        }
    }

    private mutating func render(_ snapshot: ProgressSnapshot, now: Instant) -> String? {
        let rate = self.estimator.rate(at: now)
        let timeLeft = snapshot.total.flatMap { self.estimator.timeLeft(until: $0, at: now) }
        switch self.style {
        case .silent: return nil
        case .json: return ProgressLine.event(snapshot, rate: rate, timeLeft: timeLeft).text + "\n"
        case .lines: return ProgressLine.plain(snapshot, rate: rate, timeLeft: timeLeft) + "\n"
        case .bar(let terminal):
            self.barIsShown = true
            return "\r" + ProgressLine.bar(snapshot, rate: rate, timeLeft: timeLeft, terminal: terminal) + "\u{1B}[K"
        }
    }
}
