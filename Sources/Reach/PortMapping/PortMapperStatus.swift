public import DIGMultiformats

/// What a ``PortMapper`` knows at one moment.
public struct PortMapperStatus: Hashable, Sendable {
    /// One address family's gateway, and what was found there. Nothing for a family without a default route.
    public var gateways: [GatewayStatus] = []
    /// The mappings that are held.
    public var mappings: [PortMapping] = []
    /// Whether `run()` runs.
    public var isRunning = false
    /// Whether it is known which gateways there are. Until then none is here.
    public var hasLookedForGateways = false

    /// The gateways' external addresses that are not public: above them is another NAT.
    public var doubleNATs: [Multiaddr] { self.gateways.compactMap { $0.isDoubleNAT ? $0.externalAddress : nil } }

    /// Whether it is still open which protocols the gateways speak.
    public var isSearching: Bool { self.gateways.contains { $0.findings.contains { $0.outcome == .searching } } }

    /// Whether some gateway speaks some protocol.
    public var isSupported: Bool { self.gateways.contains { $0.findings.contains { $0.outcome == .available } } }

    /// A gateway, and what it speaks and holds.
    public struct GatewayStatus: Hashable, Sendable {
        public var family: AddressFamily
        /// `/ip4/…`, `/ip6/…` or `/ip6zone/…/ip6/…`.
        public var address: Multiaddr
        public var interface: String
        /// As the gateway tells it, if it was asked and said.
        public var externalAddress: Multiaddr?
        public var isDoubleNAT: Bool
        /// In order of preference.
        public var findings: [Finding]
        /// Requests that no protocol could serve in the last round, with each one's reason.
        public var failures: [Failure]
    }

    /// What became of looking for one protocol.
    public struct Finding: Hashable, Sendable {
        /// Whether the gateway speaks it.
        public enum Outcome: String, Hashable, Sendable {
            case searching
            case available
            case unavailable
        }
        public var method: PortMapping.Method
        public var outcome: Outcome
        /// How long the answer, or giving up, took.
        public var duration: Duration?
        /// Why it is unavailable.
        public var error: PortMappingError?
        /// What a UPnP device calls itself.
        public var device: String?
    }

    /// A request that no protocol could serve.
    public struct Failure: Hashable, Sendable {
        public var id: PortMapping.ID
        public var request: PortMapping.Request
        public var family: AddressFamily
        /// In order of preference.
        public var attempts: [PortMapping.Attempt]
    }
}
