/// A service of a gateway that makes mappings.
struct UPnPService: Hashable, Sendable {
    enum Kind: String, Hashable, Sendable, CaseIterable {
        /// In order of preference.
        case ip2 = "urn:schemas-upnp-org:service:WANIPConnection:2"
        case ip1 = "urn:schemas-upnp-org:service:WANIPConnection:1"
        case ppp1 = "urn:schemas-upnp-org:service:WANPPPConnection:1"

        /// IGD 2: the gateway may choose the port.
        var hasAddAnyPortMapping: Bool { self == .ip2 }
    }

    var kind: Kind
    var controlURL: GatewayURL
    /// What the device calls itself, fit for a terminal; empty if it does not.
    var device: String
}
