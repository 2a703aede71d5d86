import DIGNet

/// Answers proposals until one is known.
///
/// An unknown proposal, `/libp2p/simultaneous-connect` among them, is answered with `na`, and the peer may try again.
struct MultistreamResponder {
    enum Action: Hashable {
        case send([MultistreamMessage])
        /// Send the acceptance; every later byte belongs to the protocol.
        case agree(ProtocolID)
        case fail(ConnectionError)
    }

    private enum State {
        case awaitingHeader
        case awaitingProposal(tries: Int)
        case finished
    }

    /// Ours: how many proposals and `ls` a peer may send. Peers propose a handful of versions of one protocol.
    static let maximumTries = 32

    private var state = State.awaitingHeader

    /// - Parameter protocols: What is spoken here, asked for when a proposal arrives.
    mutating func received(_ message: MultistreamMessage, supporting protocols: () -> [ProtocolID]) -> Action {
        switch (self.state, message) {
        case (.awaitingHeader, .header):
            self.state = .awaitingProposal(tries: 0)
            // At once: some peers propose only after they have seen it.
            return .send([.header])

        case (.awaitingProposal(let tries), .protocolID(let id)):
            if let known = protocols().first(where: { $0.rawValue.utf8.elementsEqual(id.rawValue.utf8) }) {
                self.state = .finished
                return .agree(known)
            }
            return self.answer(with: .notAvailable, tries: tries)

        case (.awaitingProposal(let tries), .list):
            return self.answer(with: .protocols(protocols()), tries: tries)

        case (.awaitingHeader, _), (.awaitingProposal, _), (.finished, _):
            self.state = .finished
            return .fail(ConnectionError(.protocolViolation, "unexpected multistream-select message"))
        }
    }

    private mutating func answer(with message: MultistreamMessage, tries: Int) -> Action {
        guard tries + 1 < Self.maximumTries else {
            self.state = .finished
            return .fail(ConnectionError(.noCommonProtocol, "the peer proposed \(Self.maximumTries) protocols and none is spoken here"))
        }
        self.state = .awaitingProposal(tries: tries + 1)
        return .send([message])
    }
}
