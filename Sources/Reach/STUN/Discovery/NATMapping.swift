/// How a NAT chooses the external address and port of a packet going out (RFC 4787 §4.1).
public enum NATMapping: String, Hashable, Sendable, CaseIterable {
    /// The same for every destination: what STUN says can be told to peers.
    case endpointIndependent
    /// Another for each destination address.
    case addressDependent
    /// Another for each destination address and port. Also what is assumed if all that is known is that two addresses see different mappings.
    case addressAndPortDependent
    case unknown
}
