public import NIOCore

/// One question that was asked about a NAT, and what came of it.
public struct NATEvidence: Hashable, Sendable, CustomStringConvertible {
    /// What was to be found out.
    public enum Question: String, Hashable, Sendable, CaseIterable {
        /// From the shared port to a server.
        case binding
        /// From the shared port to the other address of a server, its first port.
        case mappingToOtherAddress
        /// From the shared port to the other address and the other port of a server.
        case mappingToOtherAddressAndPort
        /// From a port used for nothing else to a server.
        case freshBinding
        /// Answer wanted from the server's other address and port.
        case filteringFromOtherAddress
        /// Answer wanted from the server's other port.
        case filteringFromOtherPort
        /// From a second port to the external address of the first.
        case hairpin
    }

    /// What came of it.
    public enum Outcome: Hashable, Sendable {
        case mapped(SocketAddress)
        /// The packet came in.
        case arrived
        case failed(STUNError)
    }

    public var question: Question
    /// Where it was sent.
    public var destination: SocketAddress
    /// Where the answer had to come from.
    public var answersFrom: SocketAddress
    public var outcome: Outcome

    public init(question: Question, destination: SocketAddress, answersFrom: SocketAddress, outcome: Outcome) {
        self.question = question
        self.destination = destination
        self.answersFrom = answersFrom
        self.outcome = outcome
    }

    public var description: String {
        let asked =
            switch self.question {
            case .binding: "asked \(Self.text(self.destination))"
            case .mappingToOtherAddress: "asked its other address \(Self.text(self.destination))"
            case .mappingToOtherAddressAndPort: "asked its other address and port \(Self.text(self.destination))"
            case .freshBinding: "asked \(Self.text(self.destination)) from an unused port"
            case .filteringFromOtherAddress: "answer from \(Self.text(self.answersFrom)), another address"
            case .filteringFromOtherPort: "answer from \(Self.text(self.answersFrom)), another port"
            case .hairpin: "sent to our own external address \(Self.text(self.destination))"
            }
        switch self.outcome {
        case .mapped(let address): return "\(asked): seen as \(Self.text(address))"
        case .arrived: return "\(asked): arrived"
        case .failed(let error): return error.code == .timedOut ? "\(asked): nothing came" : "\(asked): \(error)"
        }
    }

    private static func text(_ address: SocketAddress) -> String {
        guard let ip = address.ipAddress, let port = address.port else { return "\(address)" }
        return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }
}
