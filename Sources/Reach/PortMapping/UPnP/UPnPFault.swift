/// A refusal in SOAP (UPnP Device Architecture 1.1 §3.2.5, WANIPConnection:2 §2.5).
struct UPnPFault: Error, Hashable, Sendable, CustomStringConvertible {
    var code: Int
    /// What the gateway says about it, fit for a terminal.
    var text: String

    var description: String { self.text.isEmpty ? "UPnP error \(self.code)" : "UPnP error \(self.code), \(self.text)" }

    static let invalidAction = 401
    static let invalidArguments = 402
    static let actionFailed = 501
    static let optionalActionNotImplemented = 602
    static let notAuthorized = 606
    static let noSuchEntryInArray = 714
    static let conflictInMappingEntry = 718
    static let samePortValuesRequired = 724
    static let onlyPermanentLeasesSupported = 725
    static let noPortMapsAvailable = 728
    static let conflictWithOtherMechanisms = 729

    /// What it means to us.
    var error: PortMappingError {
        switch self.code {
        case Self.invalidAction, Self.optionalActionNotImplemented: PortMappingError(.notSupported, "the gateway cannot do this (\(self))")
        case Self.conflictInMappingEntry, Self.conflictWithOtherMechanisms: PortMappingError(.conflict, "the external port is taken (\(self))")
        case Self.noPortMapsAvailable: PortMappingError(.outOfResources, "the gateway has no room for the mapping (\(self))")
        case Self.noSuchEntryInArray: PortMappingError(.removedByGateway, "the mapping is not in the gateway's table (\(self))")
        case Self.actionFailed: PortMappingError(.refused, "the gateway refuses; it may be behind another NAT itself (\(self))")
        default: PortMappingError(.refused, "the gateway refuses (\(self))")
        }
    }
}
