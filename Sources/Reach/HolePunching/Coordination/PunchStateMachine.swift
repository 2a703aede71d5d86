import DIGMultiformats

/// What the two sides of the coordination have in common: inputs in the past tense, each answered with one ``PunchAction``.
///
/// After an input the owner performs the action and goes on reading messages; it calls ``deadlineReached(now:)`` when ``deadline`` passes. Early
/// and repeated calls are harmless.
protocol PunchStateMachine: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// Nil before the start and after the end.
    var deadline: Instant? { get }
    /// From 1; 0 before the first.
    var attempt: Int { get }
    /// The attempts that are over.
    var failures: [HolePunchError.Attempt] { get }

    mutating func started(now: Instant) -> PunchAction
    /// - Parameter addresses: Where the peer should aim from now on.
    mutating func ownAddressesChanged(_ addresses: [Multiaddr], now: Instant) -> PunchAction
    mutating func received(_ message: PunchMessage, now: Instant) -> PunchAction
    /// - Parameter attempt: The one that was dialed for. A former one no longer matters.
    mutating func dialFailed(_ attempt: Int, because error: any Error, now: Instant) -> PunchAction
    mutating func dialSucceeded()
    /// No message will come any more.
    mutating func signalingEnded(because error: any Error) -> PunchAction
    mutating func deadlineReached(now: Instant) -> PunchAction
}

enum PunchAction: Equatable {
    /// Stop dialing, if that is under way, and send.
    case send(PunchMessage)
    /// Dial all of them at once, for no longer than until ``PunchStateMachine/deadline``.
    case dial([Multiaddr], roundTrip: Duration)
    case fail(HolePunchError)
    case none
}
