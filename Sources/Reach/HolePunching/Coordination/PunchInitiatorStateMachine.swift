import DIGMultiformats

/// The side that opens the conversation and says when to dial: `B` in DCUtR, "The Protocol", the listener of the relayed connection.
///
struct PunchInitiatorStateMachine: PunchStateMachine {
    private enum State {
        case idle
        /// Nobody has told this node yet where it can be seen.
        case awaitingOwnAddress(until: Instant)
        /// The peer's CONNECT is due.
        case awaitingConnect(sentAt: Instant)
        /// SYNC is on its way to the peer.
        case awaitingMoment(dialAt: Instant, roundTrip: Duration, addresses: [Multiaddr])
        case dialing(until: Instant)
        case finished
    }

    private let settings: PunchSettings
    private var addresses: [Multiaddr]
    private let select: @Sendable ([Multiaddr]) -> [Multiaddr]
    private let givesUpAt: Instant
    private var state: State = .idle
    /// Why no message will come any more.
    private var signalingError: (any Error)?
    private(set) var attempt = 0
    private(set) var failures: [HolePunchError.Attempt] = []

    /// - Parameters:
    ///   - addresses: Where the peer should aim.
    ///   - select: The addresses to dial of those that the peer names.
    init(settings: PunchSettings, addresses: [Multiaddr], now: Instant, select: @escaping @Sendable ([Multiaddr]) -> [Multiaddr]) {
        self.settings = settings
        self.addresses = addresses
        self.select = select
        self.givesUpAt = now + settings.budget
    }

    var deadline: Instant? {
        switch self.state {
        case .idle, .finished: nil
        case .awaitingOwnAddress(let until): min(self.givesUpAt, until)
        case .awaitingConnect(let sentAt): min(self.givesUpAt, sentAt + self.settings.messageTimeout)
        case .awaitingMoment(let dialAt, _, _): min(self.givesUpAt, dialAt)
        case .dialing(let until): min(self.givesUpAt, until)
        }
    }

    mutating func started(now: Instant) -> PunchAction {
        guard case .idle = self.state else { return .none }
        // What it was refused for would be known at once.
        guard self.addresses.isEmpty, self.settings.method(of: 1) != nil else { return self.nextAttempt(now: now) }
        guard self.settings.ownAddressTimeout > .zero else { return self.fail(.noOwnAddress, HolePunchError.noOwnAddressMessage) }
        self.state = .awaitingOwnAddress(until: now + self.settings.ownAddressTimeout)
        return .none
    }

    mutating func ownAddressesChanged(_ addresses: [Multiaddr], now: Instant) -> PunchAction {
        self.addresses = addresses
        guard case .awaitingOwnAddress = self.state, !addresses.isEmpty else { return .none }
        return self.nextAttempt(now: now)
    }

    mutating func received(_ message: PunchMessage, now: Instant) -> PunchAction {
        switch (self.state, message) {
        case (.awaitingConnect(let sentAt), .connect(let addresses)):
            let usable = self.select(addresses)
            guard !usable.isEmpty else {
                return self.fail(.noUsableAddress, "none of the \(addresses.count) addresses that the peer sent may be dialed")
            }
            let roundTrip = max(.zero, now - sentAt)
            // Step 4: the peer gets SYNC after half a round trip and dials then, so this end waits as long.
            self.state = .awaitingMoment(dialAt: now + roundTrip / 2, roundTrip: roundTrip, addresses: usable)
            return .send(.sync)
        case (.awaitingConnect, .sync):
            return self.fail(.protocolViolation, "the peer sent SYNC in place of CONNECT")
        case (.awaitingMoment, _), (.dialing, _):
            return self.fail(.protocolViolation, "the peer spoke out of turn")
        case (.idle, _), (.awaitingOwnAddress, _), (.finished, _):
            return .none
        }
    }

    mutating func dialFailed(_ attempt: Int, because error: any Error, now: Instant) -> PunchAction {
        guard case .dialing = self.state, attempt == self.attempt else { return .none }
        return self.attemptFailed(because: error, now: now)
    }

    mutating func dialSucceeded() {
        self.state = .finished
    }

    mutating func signalingEnded(because error: any Error) -> PunchAction {
        self.signalingError = error
        switch self.state {
        // The peer has what it needs for this attempt.
        case .awaitingMoment, .dialing, .finished: return .none
        case .idle, .awaitingOwnAddress, .awaitingConnect: break
        }
        return self.fail(.signalingFailed, "the conversation with the peer ended", cause: error)
    }

    mutating func deadlineReached(now: Instant) -> PunchAction {
        guard let deadline = self.deadline, now >= deadline else { return .none }
        guard now < self.givesUpAt else {
            return self.fail(.timedOut, "no direct connection in \(self.settings.budget)")
        }
        switch self.state {
        case .awaitingOwnAddress:
            return self.fail(.noOwnAddress, HolePunchError.noOwnAddressMessage)
        case .awaitingConnect:
            // Lost, or the peer is slow: what comes late is told apart by whoever reads.
            return self.attemptFailed(because: HolePunchError(.timedOut, "no answer from the peer in \(self.settings.messageTimeout)"), now: now)
        case .awaitingMoment(_, let roundTrip, let addresses):
            self.state = .dialing(until: now + self.settings.attemptTimeout + PunchSettings.dialGrace)
            return .dial(addresses, roundTrip: roundTrip)
        case .dialing:
            return self.attemptFailed(because: HolePunchError(.timedOut, "no connection in \(self.settings.attemptTimeout)"), now: now)
        case .idle, .finished:
            return .none
        }
    }

    private mutating func attemptFailed(because error: any Error, now: Instant) -> PunchAction {
        if let method = self.settings.method(of: self.attempt) {
            self.failures.append(.init(number: self.attempt, method: method, error: error))
        }
        guard now < self.givesUpAt else { return self.fail(.timedOut, "no direct connection in \(self.settings.budget)") }
        return self.nextAttempt(now: now)
    }

    /// Step 6: everything once more, so that one wrong measurement does not spoil all attempts.
    private mutating func nextAttempt(now: Instant) -> PunchAction {
        guard self.attempt < self.settings.maximumAttempts, self.settings.method(of: self.attempt + 1) != nil else {
            if self.settings.mapping == .endpointDependent, self.attempt > 0 {
                return self.fail(.mappingNotReusable, "mapping not reusable: the NAT here gives every destination another port")
            }
            guard self.attempt > 0 else { return self.fail(.notAllowed, HolePunchError.notAllowedMessage) }
            return self.fail(.allAttemptsFailed, "all \(self.attempt) attempts failed")
        }
        guard !self.addresses.isEmpty else { return self.fail(.noOwnAddress, HolePunchError.noOwnAddressMessage) }
        if let error = self.signalingError { return self.fail(.signalingFailed, "the conversation with the peer ended", cause: error) }
        self.attempt += 1
        self.state = .awaitingConnect(sentAt: now)
        return .send(.connect(self.addresses))
    }

    private mutating func fail(_ code: HolePunchError.Code, _ message: String, cause: (any Error)? = nil) -> PunchAction {
        self.state = .finished
        return .fail(HolePunchError(code, message, attempts: self.failures, cause: cause))
    }
}
