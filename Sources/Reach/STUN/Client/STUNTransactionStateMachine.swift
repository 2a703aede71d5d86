/// The clock of one request over UDP: send, send again, give up (RFC 8489 §6.2.1).
///
/// The caller performs the returned ``Action`` and calls ``deadlineReached(now:)`` when ``deadline`` passes, the first time at once. Early and
/// repeated calls are harmless.
struct STUNTransactionStateMachine {
    typealias Instant = ContinuousClock.Instant

    enum Action: Hashable {
        case send
        case giveUp
        case none
    }

    private enum State {
        /// `transmissions` were made; what is next is due at `deadline`.
        case waiting(transmissions: Int, deadline: Instant)
        case failed
    }

    private let retransmission: STUNRetransmission
    private var state: State

    init(_ retransmission: STUNRetransmission, now: Instant) {
        self.retransmission = retransmission
        self.state = .waiting(transmissions: 0, deadline: now)
    }

    /// Nil once given up.
    var deadline: Instant? {
        guard case .waiting(_, let deadline) = self.state else { return nil }
        return deadline
    }

    mutating func deadlineReached(now: Instant) -> Action {
        guard case .waiting(let transmissions, let deadline) = self.state, now >= deadline else { return .none }
        let count = max(1, self.retransmission.transmissionCount)
        guard transmissions < count else {
            self.state = .failed
            return .giveUp
        }
        // Doubled at most thirty times, so that no configuration overflows.
        let factor = transmissions + 1 == count ? max(1, self.retransmission.finalTimeoutFactor) : 1 << min(transmissions, 30)
        self.state = .waiting(transmissions: transmissions + 1, deadline: now + self.retransmission.initialTimeout * factor)
        return .send
    }
}
