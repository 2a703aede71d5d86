public import DIGMultiformats

/// A port of the gateway (or a hole in its firewall) that leads to a port of this machine.
public struct PortMapping: Hashable, Sendable, Identifiable {
    /// Which request this is the answer to. One request has up to one mapping for each address family.
    public var id: ID
    public var request: Request
    public var family: AddressFamily
    public var method: Method
    /// Where others reach us: `/ip4/…/tcp/…` or `/ip4/…/udp/…`, with `ip6` for a pinhole.
    public var external: Multiaddr
    /// Where the gateway sends what arrives, as far as it is known.
    public var `internal`: Multiaddr
    /// How long the gateway keeps it without a renewal; `nil` if until it is deleted.
    public var lifetime: Duration?
    /// Whether everybody can reach the external address, as ``AddressPolicy`` sees it. If not, there is another NAT above this one.
    public var isPublic: Bool

    /// A request that was made of a ``PortMapper``.
    public struct ID: Hashable, Sendable, CustomStringConvertible {
        package var rawValue: UInt64
        public var description: String { "\(self.rawValue)" }
    }

    /// What is mapped.
    public enum TransportProtocol: String, Hashable, Sendable, CaseIterable {
        case tcp
        case udp
    }

    /// A protocol for asking a gateway.
    public enum Method: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
        /// RFC 6887.
        case pcp
        /// RFC 6886.
        case natpmp = "nat-pmp"
        /// UPnP Internet Gateway Device 1 and 2.
        case upnp

        public var description: String {
            switch self {
            case .pcp: "PCP"
            case .natpmp: "NAT-PMP"
            case .upnp: "UPnP"
            }
        }
    }

    /// What to map.
    public struct Request: Hashable, Sendable {
        public var `protocol`: TransportProtocol
        /// The port on this machine. Not 0.
        public var internalPort: UInt16
        /// The port wanted at the gateway; another may be given. 0 for any.
        public var suggestedExternalPort: UInt16
        /// Whether only ``suggestedExternalPort`` will do.
        public var requiresExternalPort: Bool
        /// What the router's owner reads in its list of mappings (UPnP only). Cut to 63 bytes.
        public var description: String
        /// Which protocols may be used, of those configured.
        public var methods: Set<Method>

        public init(
            protocol: TransportProtocol, internalPort: UInt16, suggestedExternalPort: UInt16? = nil, requiresExternalPort: Bool = false,
            description: String = "dig-nat-tools", methods: Set<Method> = Set(Method.allCases)
        ) {
            self.protocol = `protocol`
            self.internalPort = internalPort
            self.suggestedExternalPort = suggestedExternalPort ?? internalPort
            self.requiresExternalPort = requiresExternalPort
            self.description = description
            self.methods = methods
        }
    }

    /// One protocol's failure to make a mapping.
    public struct Attempt: Hashable, Sendable, CustomStringConvertible {
        public var method: Method
        public var error: PortMappingError
        public var description: String { "\(self.method): \(self.error)" }
    }
}

extension PortMapping.TransportProtocol {
    /// IANA protocol numbers, as PCP uses them (RFC 6887 §11.1).
    var protocolNumber: UInt8 {
        switch self {
        case .tcp: 6
        case .udp: 17
        }
    }

    init?(protocolNumber: UInt8) {
        switch protocolNumber {
        case 6: self = .tcp
        case 17: self = .udp
        default: return nil
        }
    }

    func component(port: UInt16) -> Multiaddr.Component {
        switch self {
        case .tcp: .tcp(port)
        case .udp: .udp(port)
        }
    }
}
