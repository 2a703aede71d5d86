import DIGDiscovery
import DIGIdentity

/// What has come of everybody whom a search tried: for the error if nobody delivers, and to know when there is nobody left to wait for.
///
/// A value; it keeps the latest outcome of each, and of the first ``maximumCount`` only.
struct SearchLog: Sendable {
    /// What came last of trying one peer.
    enum Outcome: Hashable, Sendable {
        case connected, connectedDirectly, disconnected
        /// It was asked, and does not have the content or may not give it to this node; in words.
        case lacks(String = "connected, does not have it")
        /// It was not asked: by what is known, it does not have the content.
        case leftOut(String)
        /// It could not be reached or asked; in words.
        case failed(String)
    }

    /// Peers, or addresses without one, whose outcomes are kept.
    static let maximumCount = 256

    private var outcomes: [String: Outcome] = [:]
    private var isComplete = true
    /// Ways of discovery that had nobody to ask, and why.
    private var silent: [DiscoverySource: String] = [:]

    var isEmpty: Bool { self.outcomes.isEmpty }

    subscript(name: String) -> Outcome? { self.outcomes[name] }

    /// - Parameter name: The peer's id; the address, where it does not name the peer.
    mutating func note(_ name: String, _ outcome: Outcome) {
        guard self.outcomes[name] != nil || self.outcomes.count < Self.maximumCount else { return self.isComplete = false }
        self.outcomes[name] = outcome
    }

    mutating func note(_ source: DiscoverySource, isSilent reason: String) { self.silent[source] = reason }

    /// Whether everybody who was tried is one of `peers`, lacks the content, or was left out. Not known, so false, once somebody is not kept.
    func hasNobody(besides peers: Set<PeerID>) -> Bool {
        let names = Set(peers.map(\.description))
        return self.isComplete
            && self.outcomes.allSatisfy { name, outcome in
                switch outcome {
                case .lacks, .leftOut: true
                case .connected, .connectedDirectly, .disconnected, .failed: names.contains(name)
                }
            }
    }

    /// What came of each, one to a line, each line behind a line break. Empty if nobody was tried.
    var list: String { self.outcomes.sorted { $0.key < $1.key }.map { "\n  \($0.key): \($0.value)" }.joined() }

    /// The ways of discovery that could not be asked, in the same form.
    var silence: String { self.silent.sorted { $0.key < $1.key }.map { "\n  \($0.key): \($0.value)" }.joined() }
}

extension SearchLog.Outcome: CustomStringConvertible {
    init(_ error: any Error) {
        self = (error as? NodeError)?.code == .notFound ? .lacks("\(error)") : .failed("\(error)")
    }

    var description: String {
        switch self {
        case .connected: "connected"
        case .connectedDirectly: "connected directly"
        case .disconnected: "disconnected"
        case .lacks(let words), .failed(let words): words
        case .leftOut(let reason): "left out: \(reason)"
        }
    }
}
