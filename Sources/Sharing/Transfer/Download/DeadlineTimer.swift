import NIOCore

/// A timer for a deadline that moves often.
///
/// A later deadline is looked at when the earlier one fires: a deadline that moves with every chunk costs a comparison.
struct DeadlineTimer {
    typealias Instant = ContinuousClock.Instant

    private var scheduled: Scheduled<Void>?
    private var deadline: Instant?

    /// Sees that `fired` is called at `deadline`, or before; never if `deadline` is nil.
    ///
    /// - Parameter fired: Calls ``fire()``, and this again.
    mutating func set(_ deadline: Instant?, on eventLoop: any EventLoop, now: Instant, fired: @escaping @Sendable () -> Void) {
        guard deadline != self.deadline else { return }
        if let earlier = self.deadline, let deadline, deadline > earlier { return }
        self.scheduled?.cancel()
        self.deadline = deadline
        self.scheduled = deadline.map { eventLoop.scheduleTask(in: TimeAmount(max(.zero, $0 - now)), fired) }
    }

    /// The time has come.
    mutating func fire() {
        self.deadline = nil
        self.scheduled = nil
    }

    mutating func cancel() {
        self.scheduled?.cancel()
        self.fire()
    }
}
