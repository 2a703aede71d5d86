public import DIGMultiformats

/// What ``NATEnvironment`` means for a person: findings, the methods that will work, and what to change.
///
/// A pure function of what is known. What has not been found out is said to be so, and what would settle it.
public struct Diagnosis: Hashable, Sendable {
    /// One thing found out about the network.
    public struct Finding: Hashable, Sendable {
        /// What it means for being reached.
        public enum Weight: String, Hashable, Sendable {
            case good, neutral, bad
        }

        /// A word that programs can rely on.
        public var topic: String
        public var weight: Weight
        public var text: String
    }

    /// Whether a method can be expected to work here.
    public struct Outlook: Hashable, Sendable {
        public var method: TraversalMethod
        /// Nil: it depends on the peer, or is not known.
        public var works: Bool?
        public var reason: String
    }

    public var findings: [Finding] = []
    public var outlooks: [Outlook] = []
    /// What its owner can do to be reached better, or to know more; empty if there is nothing.
    public private(set) var advice: [String] = []

    /// - Parameter isPublic: Which addresses everybody can reach.
    public init(_ environment: NATEnvironment, circumstances: DiagnosisCircumstances = .init(), isPublic: (Multiaddr) -> Bool) {
        self.contacts(circumstances)
        self.reachability(environment, circumstances)
        self.tcpMapping(environment)
        self.udp(environment)
        self.ports(environment, circumstances)
        self.relays(environment, circumstances)
        let hasIPv6 = environment.hasPublicIPv6(isPublic)
        self.find("ipv6", hasIPv6 ? .good : .neutral, hasIPv6 ? "IPv6: this machine has a public address" : "IPv6: no public address")
        self.adviseOnOneMoreContact(environment)
        self.outlooks = Self.outlooks(environment, circumstances)
    }

    mutating func find(_ topic: String, _ weight: Finding.Weight, _ text: String) {
        self.findings.append(.init(topic: topic, weight: weight, text: text))
    }

    mutating func advise(_ text: String) {
        if !self.advice.contains(text) { self.advice.append(text) }
    }
}
