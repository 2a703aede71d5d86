public import DIGMultiformats

/// What happens to the mappings of a ``PortMapper``.
public enum PortMapperEvent: Hashable, Sendable {
    /// There is no default route of any family that is to be mapped; looked for again.
    case noGateway
    /// The machine reaches the internet by this gateway now. Mappings at another one are reported lost before.
    case gatewayFound(Multiaddr)
    /// It is known whether the gateway of this family speaks a protocol. Not told again while that stays the same.
    case found(PortMapperStatus.Finding, AddressFamily)
    /// A port is open.
    case mapped(PortMapping)
    /// A mapping lives on, where it was.
    case renewed(PortMapping)
    /// A mapping lives on under another external address or port.
    case externalAddressChanged(from: PortMapping, to: PortMapping)
    /// A mapping is gone; another is tried for.
    case lost(PortMapping, PortMappingError)
    /// No protocol could make the mapping, each for its own reason; tried again later.
    case failed(PortMapperStatus.Failure)
    /// The gateway's external address is not public: there is another NAT above it, and mappings do not make this machine reachable.
    case doubleNAT(external: Multiaddr)
    /// The gateway has forgotten what it knew; its mappings are being made again.
    case gatewayRestarted(PortMapping.Method)
    /// A mapping was deleted because it is not wanted any more.
    case removed(PortMapping)
}
