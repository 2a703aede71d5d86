/// What this node knows about the NAT in front of it, as far as punching depends on it.
public struct LocalPunchability: Hashable, Sendable {
    /// How the NAT picks the port of a TCP connection that leaves from the listening port (RFC 4787 §4.1, RFC 5382 REQ-1).
    public enum Mapping: Hashable, Sendable {
        case unknown
        /// Another port for each destination. What others observe is not where the next peer would have to aim.
        case endpointDependent
        /// The same port for all, or no NAT.
        case endpointIndependent
    }

    public var mapping: Mapping
    public init(mapping: Mapping) { self.mapping = mapping }

    public static let unknown = Self(mapping: .unknown)
}
