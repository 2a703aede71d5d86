import DIGNet

/// A moment, by both clocks.
struct Moment: Hashable, Sendable {
    /// For what is kept and done here.
    var now: ContinuousClock.Instant
    /// Unix time, for what others have dated.
    var milliseconds: UInt64

    static var current: Self { Self(now: .now, milliseconds: WallClock.nowMilliseconds) }

    func after(_ duration: Duration) -> Self {
        Self(now: self.now + duration, milliseconds: self.milliseconds + UInt64(max(0, duration / .milliseconds(1))))
    }
}
