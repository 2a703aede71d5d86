import DIGMultiformats

/// One line of a gateway's table of mappings, from `GetSpecificPortMappingEntry` (WANIPConnection:2 §2.5.15).
struct UPnPMappingEntry: Hashable, Sendable {
    var internalClient: IPv4Address
    var internalPort: UInt16

    init(internalClient: IPv4Address, internalPort: UInt16) {
        self.internalClient = internalClient
        self.internalPort = internalPort
    }

    init(_ arguments: [String: String]) throws(PortMappingError) {
        guard let client = arguments["NewInternalClient"].flatMap({ IPv4Address($0) }), let port = arguments["NewInternalPort"].flatMap({ UInt16($0) })
        else { throw PortMappingError(.malformedAnswer, "the gateway's table has a line that cannot be read") }
        self.init(internalClient: client, internalPort: port)
    }
}
