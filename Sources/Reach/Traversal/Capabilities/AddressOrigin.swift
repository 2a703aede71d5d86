/// How a peer came by one of its addresses.
public enum AddressOrigin: String, Hashable, Sendable, CaseIterable {
    /// An interface of the machine has it.
    case interface
    /// Other peers saw it.
    case observed
    /// The router opened it.
    case upnp
    case natPMP = "nat-pmp"
    case pcp
    /// A relay takes connections there.
    case relay

    /// Whether a router was asked for it.
    public var isMapping: Bool { self == .upnp || self == .natPMP || self == .pcp }
}
