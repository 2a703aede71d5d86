import DIGMultiformats

/// One request to be dialed, as the asker sees it.
struct AutoNATv2ClientStateMachine {
    enum Action: Hashable {
        /// Send this much data in pieces, then read the next message.
        case sendData(byteCount: Int)
        /// The server says it has connected: give ``arrived(_:)`` what has arrived, or nil when nothing has in time.
        case awaitDialBack
        case finish(AutoNATv2Result)
        case fail(AutoNATError.Code, String)
    }

    /// The connection over which the nonce came.
    struct Arrival: Hashable {
        var local: Multiaddr?
        var remote: Multiaddr
    }

    private enum State {
        case awaitingAnswer(sentDataFor: Int?)
        case awaitingDialBack(index: Int)
        case finished
    }

    private let targets: [AutoNATv2Target]
    private let maximumDialDataByteCount: Int
    private var state = State.awaitingAnswer(sentDataFor: nil)

    init(targets: [AutoNATv2Target], maximumDialDataByteCount: Int) {
        self.targets = targets
        self.maximumDialDataByteCount = maximumDialDataByteCount
    }

    func request(nonce: UInt64) -> AutoNATv2Message {
        .dialRequest(AutoNATv2DialRequest(addresses: self.targets.map(\.address), nonce: nonce))
    }

    mutating func received(_ message: AutoNATv2Message) -> Action {
        switch (self.state, message) {
        case (.awaitingAnswer(nil), .dialDataRequest(let index, let byteCount)):
            guard self.targets.indices.contains(index) else { return self.fail(.malformedAnswer, "the server names address \(index)") }
            guard self.targets[index].isWorthDialData, (0...self.maximumDialDataByteCount).contains(byteCount) else {
                return self.fail(.dataRefused, "the server wants \(byteCount) bytes")
            }
            self.state = .awaitingAnswer(sentDataFor: index)
            return .sendData(byteCount: byteCount)
        case (.awaitingAnswer(let paid), .dialResponse(let response)):
            return self.received(response, paid: paid)
        default:
            return self.fail(.malformedAnswer, "a message out of turn")
        }
    }

    private mutating func received(_ response: AutoNATv2DialResponse, paid: Int?) -> Action {
        switch response.status {
        case .internalError: return self.fail(.serverFailed, "the server could not do it")
        case .requestRejected: return self.fail(.rejected, "the server has served enough requests")
        case .dialRefused:
            self.state = .finished
            return .finish(.refused)
        case .ok: break
        }
        guard self.targets.indices.contains(response.index), paid == nil || paid == response.index else {
            return self.fail(.malformedAnswer, "the server names address \(response.index)")
        }
        switch response.dialStatus {
        case .unused: return self.fail(.malformedAnswer, "the server does not say how the dial went")
        case .dialError:
            self.state = .finished
            return .finish(.unreachable(index: response.index))
        case .ok, .dialBackError:
            // If the nonce has come all the same, the address has been reached.
            self.state = .awaitingDialBack(index: response.index)
            return .awaitDialBack
        }
    }

    /// - Parameter arrival: Where the nonce came in, nil if it did not.
    mutating func arrived(_ arrival: Arrival?) -> Action {
        guard case .awaitingDialBack(let index) = self.state else { preconditionFailure("an arrival that was not asked for") }
        guard let arrival else { return self.fail(.unverified, "nothing arrived at \(self.targets[index].address)") }
        guard self.targets[index].isConsistent(with: arrival.local) else {
            let place = arrival.local.map { "\($0)" } ?? "an unknown address"
            return self.fail(.unverified, "what was to arrive at \(self.targets[index].address) came in at \(place)")
        }
        self.state = .finished
        return .finish(.reachable(index: index, from: arrival.remote))
    }

    private mutating func fail(_ code: AutoNATError.Code, _ message: String) -> Action {
        self.state = .finished
        return .fail(code, message)
    }
}
