/// Which packets a NAT or firewall lets in to a port that packets went out from (RFC 4787 §5).
public enum NATFiltering: String, Hashable, Sendable, CaseIterable {
    /// From everywhere.
    case endpointIndependent
    /// From the addresses that packets went to.
    case addressDependent
    /// From the addresses and ports that packets went to.
    case addressAndPortDependent
    case unknown
}
