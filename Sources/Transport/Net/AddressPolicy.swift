public import DIGMultiformats

/// Which addresses may be dialed, relayed to, or believed when a peer names them.
///
/// Private, loopback, link-local, carrier-grade NAT, multicast, unspecified and reserved addresses never are, nor their IPv4-mapped and NAT64
/// forms: a stranger could make this node knock on the doors of its own network.
public struct AddressPolicy: Hashable, Sendable {
    /// Takes the documentation ranges (RFC 5737, RFC 3849) for public ones, so that a laboratory can build an internet of them.
    public var treatsDocumentationAsPublic: Bool

    public init(treatsDocumentationAsPublic: Bool = false) {
        self.treatsDocumentationAsPublic = treatsDocumentationAsPublic
    }

    public func isPublic(_ scope: AddressScope) -> Bool {
        switch scope {
        case .global: true
        case .documentation: self.treatsDocumentationAsPublic
        default: false
        }
    }

    /// Whether the first IP address or name in `address` is one that everybody can reach. A name is: what it resolves to has to be asked again.
    public func isPublic(_ address: Multiaddr) -> Bool {
        for component in address.components {
            switch component {
            case .ip4(let ip): return self.isPublic(ip.scope)
            case .ip6(let ip): return self.isPublic(ip.scope)
            case .ip6zone, .memory: return false
            case .dns, .dns4, .dns6, .dnsaddr: return true
            default: continue
            }
        }
        return false
    }
}
