import NIOCore

/// Asks one question until it is answered (RFC 6886 §3.1, RFC 6887 §8.1.1).
///
/// The caller passes `now`, performs the returned ``Action`` and calls ``deadlineReached(now:)`` when ``deadline`` passes, the first time at once.
/// Early and repeated calls are harmless.
struct ExchangeStateMachine<Request: GatewayRequest>: Sendable {
    typealias Instant = ContinuousClock.Instant

    private enum State {
        /// `transmissions` are unanswered; the next is due at `nextAt`.
        case asking(transmissions: Int, nextAt: Instant)
        case finished
    }

    enum Action: Hashable {
        case send(ByteBuffer)
        case finish(Result<Request.Answer, PortMappingError>)
        case none
    }

    let request: Request
    private let schedule: RetransmissionSchedule
    private var state: State
    /// Why the last datagram from the gateway could not be read.
    private var lastMalformation: String?

    init(_ request: Request, schedule: RetransmissionSchedule, now: Instant) {
        self.request = request
        self.schedule = schedule
        self.state = .asking(transmissions: 0, nextAt: now)
    }

    /// nil once finished.
    var deadline: Instant? {
        switch self.state {
        case .asking(_, let nextAt): nextAt
        case .finished: nil
        }
    }

    mutating func deadlineReached(now: Instant) -> Action {
        guard case .asking(let transmissions, let nextAt) = self.state, now >= nextAt else { return .none }
        guard transmissions < self.schedule.transmissionCount else {
            self.state = .finished
            if let lastMalformation {
                return .finish(.failure(PortMappingError(.malformedAnswer, "the gateway's answer cannot be read: \(lastMalformation)")))
            }
            return .finish(.failure(PortMappingError(.unresponsive, "no answer to \(transmissions) datagrams")))
        }
        self.state = .asking(transmissions: transmissions + 1, nextAt: now + self.schedule.wait(after: transmissions))
        return .send(self.request.encode())
    }

    /// - Parameter isFromGateway: Whether the datagram came from the address and port that were asked (RFC 6886 §3.1, RFC 6887 §8.3).
    mutating func received(_ datagram: ByteBuffer, isFromGateway: Bool) -> Action {
        guard isFromGateway, case .asking = self.state else { return .none }
        do throws(GatewayAnswerError) {
            guard let answer = try self.request.answer(in: datagram) else { return .none }
            self.state = .finished
            return .finish(.success(answer))
        } catch {
            switch error {
            case .refused(let reason):
                self.state = .finished
                return .finish(.failure(reason))
            case .malformed(let description):
                // Anybody on the link may have sent it: the true answer may still come.
                self.lastMalformation = description
                return .none
            }
        }
    }

    /// The system says that nobody listens there (RFC 6886 §3.1: give up at once).
    mutating func portUnreachable() -> Action {
        guard case .asking = self.state else { return .none }
        self.state = .finished
        return .finish(.failure(PortMappingError(.notSupported, "nothing listens on the gateway's port")))
    }
}
