/// The names that people know for the behaviour of NATs (RFC 3489 §5). They say less than ``NATMapping`` and ``NATFiltering``.
public enum NATType: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// No NAT, and everybody can send.
    case open
    /// No NAT, but answers only.
    case firewall
    case fullCone
    case addressRestricted
    case portRestricted
    /// A NAT that keeps its mapping; what it lets in is not known.
    case cone
    /// A mapping for each destination.
    case symmetric
    /// No UDP at all.
    case blocked
    case unknown

    public var description: String {
        switch self {
        case .open: "open (no NAT)"
        case .firewall: "firewall (no NAT)"
        case .fullCone: "full cone"
        case .addressRestricted: "address-restricted cone"
        case .portRestricted: "port-restricted cone"
        case .cone: "cone, filter unknown"
        case .symmetric: "symmetric"
        case .blocked: "UDP blocked"
        case .unknown: "unknown"
        }
    }
}
