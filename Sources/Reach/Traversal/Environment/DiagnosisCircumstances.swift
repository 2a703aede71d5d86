public import DIGIdentity
public import DIGMultiformats

/// What a ``Diagnosis`` takes into account beside the environment: who was named, and what is different from an ordinary run.
public struct DiagnosisCircumstances: Hashable, Sendable {
    /// A relay or first contact that the user named.
    public struct Contact: Hashable, Sendable {
        /// What became of connecting to it.
        public enum Outcome: Hashable, Sendable {
            case pending
            case connected
            /// With the cause for a person.
            case failed(String)
        }

        public var peer: PeerID
        /// As they were named.
        public var addresses: [Multiaddr]
        public var outcome: Outcome
        /// Whether it tests for others if they can be reached (AutoNAT). Nil: it has not said.
        public var tests: Bool?

        public init(peer: PeerID, addresses: [Multiaddr], outcome: Outcome = .pending, tests: Bool? = nil) {
            self.peer = peer
            self.addresses = addresses
            self.outcome = outcome
            self.tests = tests
        }

        /// Its addresses for a person, else its name.
        package var place: String {
            var places: [String] = []
            for place in self.addresses.map(\.shortText) where !places.contains(place) { places.append(place) }
            return places.isEmpty ? "\(self.peer)" : places.joined(separator: " or ")
        }
    }

    public var contacts: [Contact] = []
    /// Whether the port listened on is another one in the next run, so that nobody could forward it.
    public var isPortRandom = false
    /// Whether the DHT is off in this run and on in others.
    public var leavesOutDHT = false

    public init() {}
}
