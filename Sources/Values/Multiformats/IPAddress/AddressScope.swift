/// How far an address reaches (IANA special-purpose address registries, RFC 6890).
///
/// Only ``global`` may be dialed or relayed to on a stranger's word.
public enum AddressScope: Hashable, Sendable, CaseIterable {
    case global
    /// RFC 1918, unique local (RFC 4193), site local, local-use NAT64 (RFC 8215).
    case `private`
    case loopback
    case linkLocal
    /// RFC 6598, `100.64.0.0/10`.
    case carrierGradeNAT
    case multicast
    case unspecified
    /// RFC 5737, RFC 3849, RFC 9637.
    case documentation
    /// Anything else with no use on the internet: `0.0.0.0/8`, benchmarking, broadcast, Teredo, not yet assigned.
    case reserved
}
