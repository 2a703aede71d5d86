/// Something to ask a gateway, as the session wants it done.
enum GatewayOperation: Hashable, Sendable {
    case probe(PortMapping.Method)
    case map(MappingOrder)
    /// `lifetimeSeconds` of the order does not count.
    case unmap(MappingOrder)
    /// Is it still there, with these mappings?
    case check(PortMapping.Method, UPnPService?, [MappingOrder])

    /// What to map, renew or delete, and how.
    struct MappingOrder: Hashable, Sendable {
        var id: PortMapping.ID
        var request: PortMapping.Request
        var method: PortMapping.Method
        var service: UPnPService?
        var nonce: PCPNonce
        /// The port to ask for: the one had before, or the one suggested.
        var externalPort: UInt16
        var externalAddress: IPAddress?
        var lifetimeSeconds: UInt32
    }

    /// A mapping as a gateway grants it.
    struct Grant: Hashable, Sendable {
        var externalAddress: IPAddress
        var externalPort: UInt16
        /// 0 for a permanent one.
        var lifetimeSeconds: UInt32
        var epoch: UInt32?
        /// Our address as the gateway sees it.
        var internalAddress: IPAddress?
    }

    enum Outcome: Hashable, Sendable {
        case probed(epoch: UInt32?, externalAddress: IPAddress?, service: UPnPService?)
        case mapped(Grant)
        case unmapped
        /// `missing` are not in the gateway's table.
        case checked(epoch: UInt32?, externalAddress: IPAddress?, missing: Set<PortMapping.ID>)
    }

    struct ID: Hashable, Sendable {
        var rawValue: UInt64
    }
}
