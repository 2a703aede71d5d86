/// The part that matters of a device's description (UPnP Device Architecture 1.1 §2.3).
struct UPnPDeviceDescription: Hashable, Sendable {
    /// Ours: services beyond this many are not looked at. A router with several uplinks has one for each.
    static let maximumServiceCount = 8

    /// Those that make mappings, best first. Their URLs are on the host of the description.
    var services: [UPnPService]

    init(_ root: XMLElement, location: GatewayURL) throws(PortMappingError) {
        guard root.name == "root", let device = root["device"] else {
            throw PortMappingError(.malformedAnswer, "what is at \(location) is no device description")
        }
        // UPnP 1.0 only. Another host is not believed.
        let base = root["URLBase"].flatMap { GatewayURL($0.text) }.flatMap { $0.host == location.host ? $0 : nil } ?? location
        let name = [device["manufacturer"], device["modelName"], device["modelNumber"]]
            .compactMap { $0.map { Self.printable($0.text) } }.filter { !$0.isEmpty }.joined(separator: " ")
        var services: [UPnPService] = []
        // The scanner bounds depth and number of all elements.
        var pending = [device]
        while let device = pending.popLast() {
            pending += device["deviceList"]?.children.filter { $0.name == "device" } ?? []
            for element in device["serviceList"]?.children ?? [] where element.name == "service" && services.count < Self.maximumServiceCount {
                guard let kind = element["serviceType"].flatMap({ UPnPService.Kind(rawValue: $0.text) }),
                    let url = element["controlURL"].flatMap({ base.resolving($0.text) }), url.host == location.host
                else { continue }
                services.append(UPnPService(kind: kind, controlURL: url, device: name))
            }
        }
        guard !services.isEmpty else {
            throw PortMappingError(.notSupported, "\(name.isEmpty ? "the device" : name) at \(location.authority) has no service for port mappings")
        }
        self.services = UPnPService.Kind.allCases.flatMap { kind in services.filter { $0.kind == kind } }
    }

    /// At most 40 characters of what a stranger says about itself, none of which moves a cursor.
    static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(40).filter { (0x20...0x7e).contains($0.value) }))
    }
}
