import DIGIdentity
import DIGMultiformats

/// One request to dial an address, as the server sees it.
///
/// Give it each message that comes and, after ``Action/dial(_:nonce:isPaidFor:)``, how the dial went; perform the action returned.
struct AutoNATv2ServerStateMachine {
    enum Action: Hashable {
        /// Read the next message, after `send` is sent.
        case read(send: AutoNATv2Message?)
        /// - isPaidFor: The asker gave data for it, and another machine is dialed.
        case dial(Multiaddr, nonce: UInt64, isPaidFor: Bool)
        /// Send it and end the stream.
        case respond(AutoNATv2DialResponse)
        /// The asker breaks the protocol: reset the stream. The reason is for the log.
        case reset(String)
    }

    private struct Target {
        var address: Multiaddr
        var index: Int
        var nonce: UInt64
    }

    private enum State {
        case awaitingRequest
        case awaitingData(Target, byteCount: Int)
        case dialing(Target)
        case finished
    }

    private let peer: PeerID
    /// Where the asker comes from; nil if that says nothing about it, as with a relayed connection.
    private let observed: Multiaddr?
    private let configuration: AutoNATv2ServerConfiguration
    private var state = State.awaitingRequest

    init(peer: PeerID, observed: Multiaddr?, configuration: AutoNATv2ServerConfiguration) {
        self.peer = peer
        self.observed = observed
        self.configuration = configuration
    }

    /// - Parameter admitDialData: Whether one more dial to another machine's address is within the limits. Asked only where it is one.
    mutating func received(
        _ message: AutoNATv2Message, using generator: inout some RandomNumberGenerator, admitDialData: () -> Bool
    ) -> Action {
        switch (self.state, message) {
        case (.awaitingRequest, .dialRequest(let request)):
            return self.received(request, using: &generator, admitDialData: admitDialData)
        case (.awaitingData(let target, let missing), .dialData(let byteCount)):
            guard byteCount < missing else {
                self.state = .dialing(target)
                return .dial(target.address, nonce: target.nonce, isPaidFor: true)
            }
            guard byteCount >= self.configuration.minimumDataByteCount else {
                self.state = .finished
                return .reset("dial data in pieces of \(byteCount) bytes")
            }
            self.state = .awaitingData(target, byteCount: missing - byteCount)
            return .read(send: nil)
        default:
            self.state = .finished
            return .reset("a message out of turn")
        }
    }

    private mutating func received(
        _ request: AutoNATv2DialRequest, using generator: inout some RandomNumberGenerator, admitDialData: () -> Bool
    ) -> Action {
        guard request.nonce != 0 else {
            self.state = .finished
            return .reset("a request without a nonce")
        }
        // The asker's own address must be one of everybody's, or a dial from here proves nothing to it.
        guard let observed = self.observed, self.configuration.policy.isPublic(observed),
            let target = self.firstAccepted(in: request)
        else {
            self.state = .finished
            return .respond(AutoNATv2DialResponse(.dialRefused))
        }
        if let host = HostAddress(observed), host == HostAddress(target.address) {
            self.state = .dialing(target)
            return .dial(target.address, nonce: target.nonce, isPaidFor: false)
        }
        guard admitDialData() else {
            self.state = .finished
            return .respond(AutoNATv2DialResponse(.requestRejected))
        }
        let byteCount = Int.random(in: self.configuration.dialDataByteCount, using: &generator)
        self.state = .awaitingData(target, byteCount: byteCount)
        return .read(send: .dialDataRequest(index: target.index, byteCount: byteCount))
    }

    private func firstAccepted(in request: AutoNATv2DialRequest) -> Target? {
        for (index, address) in request.addresses.enumerated() {
            guard let address, let accepted = self.configuration.policy.accepted(address, for: self.peer) else { continue }
            return Target(address: accepted, index: index, nonce: request.nonce)
        }
        return nil
    }

    /// - Parameter status: Nil if the dial failed for a reason that lies here.
    mutating func dialed(_ status: AutoNATv2DialResponse.DialStatus?) -> Action {
        guard case .dialing(let target) = self.state else { preconditionFailure("dialed without being asked to") }
        self.state = .finished
        guard let status else { return .respond(AutoNATv2DialResponse(.internalError)) }
        return .respond(AutoNATv2DialResponse(.ok, index: target.index, dialStatus: status))
    }
}
