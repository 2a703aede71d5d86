import DIGMultiformats

/// The side that answers and dials when it is told to: `A` in DCUtR, "The Protocol", the dialer of the relayed connection.
struct PunchResponderStateMachine: PunchStateMachine {
    private enum State {
        /// The first CONNECT, or after a dial that failed the next one.
        case awaitingConnect(since: Instant)
        /// CONNECT has come, and nobody has told this node yet where it can be seen: the answer waits.
        case awaitingOwnAddress(until: Instant, addresses: [Multiaddr])
        case awaitingSync(sentAt: Instant, addresses: [Multiaddr])
        case dialing(until: Instant)
        case finished
    }

    private let settings: PunchSettings
    /// The peer may be dialing for an attempt of which this end did not get SYNC, or still be dialing where this end has given up.
    private let patience: Duration
    private var addresses: [Multiaddr]
    private let select: @Sendable ([Multiaddr]) -> [Multiaddr]
    private let givesUpAt: Instant
    private var state: State
    private var isSignalingOver = false
    private(set) var attempt = 0
    private(set) var failures: [HolePunchError.Attempt] = []

    init(settings: PunchSettings, addresses: [Multiaddr], now: Instant, select: @escaping @Sendable ([Multiaddr]) -> [Multiaddr]) {
        self.settings = settings
        self.patience = settings.messageTimeout + settings.attemptTimeout
        self.addresses = addresses
        self.select = select
        self.givesUpAt = now + settings.budget
        self.state = .awaitingConnect(since: now)
    }

    var deadline: Instant? {
        switch self.state {
        case .awaitingConnect(let since): min(self.givesUpAt, since + self.patience)
        case .awaitingOwnAddress(let until, _): min(self.givesUpAt, until)
        case .awaitingSync(let sentAt, _): min(self.givesUpAt, sentAt + self.patience)
        case .dialing(let until): min(self.givesUpAt, until)
        case .finished: nil
        }
    }

    mutating func started(now: Instant) -> PunchAction { .none }

    mutating func ownAddressesChanged(_ addresses: [Multiaddr], now: Instant) -> PunchAction {
        self.addresses = addresses
        guard case .awaitingOwnAddress(_, let peerAddresses) = self.state, !addresses.isEmpty else { return .none }
        return self.answer(peerAddresses, now: now)
    }

    mutating func received(_ message: PunchMessage, now: Instant) -> PunchAction {
        switch (self.state, message) {
        case (.finished, _):
            return .none
        case (_, .connect(let addresses)):
            // In place of SYNC too: through a backend that loses messages, the answer to the one before may not have arrived.
            guard self.attempt < self.settings.maximumAttempts, self.settings.method(of: self.attempt + 1) != nil else {
                guard self.attempt > 0 else { return self.fail(.notAllowed, HolePunchError.notAllowedMessage) }
                return self.fail(.allAttemptsFailed, "the peer asks for more than \(self.attempt) attempts")
            }
            let usable = self.select(addresses)
            guard !usable.isEmpty else {
                return self.fail(.noUsableAddress, "none of the \(addresses.count) addresses that the peer sent may be dialed")
            }
            if !self.addresses.isEmpty { return self.answer(usable, now: now) }
            // Asked again meanwhile: the wait is no longer for that.
            if case .awaitingOwnAddress(let until, _) = self.state {
                self.state = .awaitingOwnAddress(until: until, addresses: usable)
                return .none
            }
            guard self.settings.ownAddressTimeout > .zero else { return self.fail(.noOwnAddress, HolePunchError.noOwnAddressMessage) }
            self.state = .awaitingOwnAddress(until: now + self.settings.ownAddressTimeout, addresses: usable)
            return .none
        case (.awaitingSync(let sentAt, let addresses), .sync):
            self.state = .dialing(until: now + self.settings.attemptTimeout + PunchSettings.dialGrace)
            return .dial(addresses, roundTrip: max(.zero, now - sentAt))
        case (.awaitingConnect, .sync), (.awaitingOwnAddress, .sync), (.dialing, .sync):
            return self.fail(.protocolViolation, "the peer sent SYNC out of turn")
        }
    }

    private mutating func answer(_ peerAddresses: [Multiaddr], now: Instant) -> PunchAction {
        self.attempt += 1
        self.state = .awaitingSync(sentAt: now, addresses: peerAddresses)
        return .send(.connect(self.addresses))
    }

    mutating func dialFailed(_ attempt: Int, because error: any Error, now: Instant) -> PunchAction {
        guard case .dialing = self.state, attempt == self.attempt, let method = self.settings.method(of: self.attempt) else { return .none }
        self.failures.append(.init(number: self.attempt, method: method, error: error))
        // Nothing that the peer may ask for will help.
        guard !self.isSignalingOver, self.settings.mapping != .endpointDependent else { return self.fail(.allAttemptsFailed, "the attempt failed") }
        self.state = .awaitingConnect(since: now)
        return .none
    }

    mutating func dialSucceeded() {
        self.state = .finished
    }

    /// The conversation ended. A dial under way goes on: others open a stream for each attempt and close it after SYNC.
    mutating func signalingEnded(because error: any Error) -> PunchAction {
        self.isSignalingOver = true
        switch self.state {
        case .dialing, .finished: return .none
        case .awaitingConnect where self.attempt > 0:
            return self.fail(.allAttemptsFailed, "all \(self.attempt) attempts failed")
        case .awaitingConnect, .awaitingOwnAddress, .awaitingSync: return self.fail(.signalingFailed, "the conversation with the peer ended", cause: error)
        }
    }

    mutating func deadlineReached(now: Instant) -> PunchAction {
        guard let deadline = self.deadline, now >= deadline else { return .none }
        guard now < self.givesUpAt else { return self.fail(.timedOut, "no direct connection in \(self.settings.budget)") }
        switch self.state {
        case .dialing:
            return self.dialFailed(self.attempt, because: HolePunchError(.timedOut, "no connection in \(self.settings.attemptTimeout)"), now: now)
        case .awaitingConnect where self.attempt > 0:
            return self.fail(.allAttemptsFailed, "all \(self.attempt) attempts failed")
        case .awaitingOwnAddress:
            return self.fail(.noOwnAddress, HolePunchError.noOwnAddressMessage)
        case .awaitingConnect, .awaitingSync:
            return self.fail(.timedOut, "no message from the peer in \(self.patience)")
        case .finished:
            return .none
        }
    }

    private mutating func fail(_ code: HolePunchError.Code, _ message: String, cause: (any Error)? = nil) -> PunchAction {
        self.state = .finished
        if self.settings.mapping == .endpointDependent, code == .allAttemptsFailed {
            return .fail(
                HolePunchError(
                    .mappingNotReusable, "mapping not reusable: the NAT here gives every destination another port", attempts: self.failures, cause: cause))
        }
        return .fail(HolePunchError(code, message, attempts: self.failures, cause: cause))
    }
}
