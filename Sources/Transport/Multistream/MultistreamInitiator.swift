import DIGNet

/// Proposes protocols one after the other until the peer takes one.
///
/// Call ``started()`` once, then ``received(_:)`` for each message of the peer.
struct MultistreamInitiator {
    enum Action: Hashable {
        case send([MultistreamMessage])
        case agree(ProtocolID)
        case fail(ConnectionError)
        case none
    }

    private enum State {
        case idle
        /// The peer's header is missing; `proposed` is on its way.
        case awaitingHeader(proposed: ProtocolID)
        case awaitingAnswer(proposed: ProtocolID)
        case finished
    }

    /// What was not proposed yet, the best last.
    private var remaining: [ProtocolID]
    private let offered: [ProtocolID]
    private var state = State.idle

    init(proposing protocols: [ProtocolID]) {
        self.offered = protocols
        self.remaining = protocols.reversed()
    }

    /// The header and the first proposal leave together: one round trip for a peer that knows it.
    mutating func started() -> Action {
        guard case .idle = self.state else { return .none }
        let longest = MultistreamWire.maximumMessageLength - 1
        guard self.offered.allSatisfy({ (1...longest).contains($0.rawValue.utf8.count) && !$0.rawValue.utf8.contains(UInt8(ascii: "\n")) })
        else {
            self.state = .finished
            return .fail(ConnectionError(.protocolViolation, "a protocol name to propose is empty, too long or has a newline"))
        }
        guard let first = self.remaining.popLast() else {
            self.state = .finished
            return .fail(ConnectionError(.noCommonProtocol, "no protocol to propose"))
        }
        self.state = .awaitingHeader(proposed: first)
        return .send([.header, .protocolID(first)])
    }

    mutating func received(_ message: MultistreamMessage) -> Action {
        switch (self.state, message) {
        case (.awaitingHeader(let proposed), .header):
            self.state = .awaitingAnswer(proposed: proposed)
            return .none

        case (.awaitingAnswer(let proposed), .protocolID(let id)) where id.rawValue.utf8.elementsEqual(proposed.rawValue.utf8):
            self.state = .finished
            return .agree(proposed)

        case (.awaitingAnswer, .notAvailable):
            guard let next = self.remaining.popLast() else {
                self.state = .finished
                let names = self.offered.map(\.rawValue).joined(separator: ", ")
                return .fail(ConnectionError(.noCommonProtocol, "the peer speaks none of \(names)"))
            }
            self.state = .awaitingAnswer(proposed: next)
            return .send([.protocolID(next)])

        case (.idle, _), (.awaitingHeader, _), (.awaitingAnswer, _), (.finished, _):
            self.state = .finished
            return .fail(ConnectionError(.protocolViolation, "unexpected multistream-select message"))
        }
    }
}
