@testable import DIGPortMapping
import DIGMultiformats
import Testing

@Suite("UPnP descriptions and SOAP")
struct UPnPMessageTests {
    static let location = GatewayURL(host: IPv4Address(192, 168, 1, 1), port: 5000, path: "/rootDesc.xml")

    static func description(base: String = "", services: [(type: String, url: String)], name: String = "Box\u{1b}[2J") -> String {
        let list = services.map { "<service><serviceType>\($0.type)</serviceType><controlURL>\($0.url)</controlURL></service>" }.joined()
        return """
            <root xmlns="urn:schemas-upnp-org:device-1-0">\(base.isEmpty ? "" : "<URLBase>\(base)</URLBase>")<device><manufacturer>ACME</manufacturer>
            <modelName>\(name)</modelName><deviceList><device><deviceList><device><serviceList>\(list)</serviceList></device></deviceList></device></deviceList>
            </device></root>
            """
    }

    func describe(_ text: String) throws -> UPnPDeviceDescription {
        try UPnPDeviceDescription(try XMLScanner.parse(Array(text.utf8)), location: Self.location)
    }

    @Test("services are found, best first, with a name fit for a terminal")
    func services() throws {
        let text = Self.description(services: [
            ("urn:schemas-upnp-org:service:WANPPPConnection:1", "/ppp"), ("urn:schemas-upnp-org:service:WANIPConnection:1", "ip1"),
            ("urn:schemas-upnp-org:service:WANIPConnection:2", "/ip2"), ("urn:schemas-upnp-org:service:Layer3Forwarding:1", "/l3"),
        ])
        let services = try self.describe(text).services
        #expect(services.map(\.kind) == [.ip2, .ip1, .ppp1])
        #expect(services.map(\.controlURL.path) == ["/ip2", "/ip1", "/ppp"])
        #expect(services.first?.device == "ACME Box[2J")
    }

    @Test("a control URL or base on another host is not believed")
    func otherHosts() throws {
        let kind = UPnPService.Kind.ip1.rawValue
        for url in ["http://192.168.1.9/ctl", "http://127.0.0.1:22/", "//192.168.1.9/ctl", "https://192.168.1.1/ctl", "http://router/ctl", ""] {
            #expect(throws: PortMappingError(.notSupported, "")) { try self.describe(Self.description(services: [(kind, url)])) }
        }
        #expect(try self.describe(Self.description(base: "http://10.9.9.9:1/", services: [(kind, "/ctl")])).services.first?.controlURL.authority == "192.168.1.1:5000")
        #expect(try self.describe(Self.description(base: "http://192.168.1.1:49152/", services: [(kind, "/ctl")])).services.first?.controlURL.port == 49152)
    }

    @Test("the number of services is limited")
    func manyServices() throws {
        let services = Array(repeating: (type: UPnPService.Kind.ip1.rawValue, url: "/ctl"), count: 100)
        #expect(try self.describe(Self.description(services: services)).services.count == UPnPDeviceDescription.maximumServiceCount)
    }

    @Test("other documents are none", arguments: ["<a/>", "<root/>", "<root><device/></root>"])
    func noDescription(text: String) {
        #expect(throws: PortMappingError.self) { try self.describe(text) }
    }

    static func envelope(_ body: String) -> [UInt8] {
        Array("<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"x\"><s:Body>\(body)</s:Body></s:Envelope>".utf8)
    }

    static func fault(_ code: Int, _ text: String = "Nope") -> String {
        """
        <s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0">\
        <errorCode>\(code)</errorCode><errorDescription>\(text)</errorDescription></UPnPError></detail></s:Fault>
        """
    }

    @Test("calls escape what they carry")
    func request() {
        let text = SOAPMessage.request("AddPortMapping", service: .ip1, arguments: [("NewPortMappingDescription", "a<b>&\"'\r\n\u{0}")])
        #expect(text.contains("<u:AddPortMapping xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"))
        #expect(text.contains("<NewPortMappingDescription>a&lt;b&gt;&amp;&quot;&apos;</NewPortMappingDescription>"))
        #expect((try? XMLScanner.parse(Array(text.utf8)))?["Body"]?["AddPortMapping"] != nil)
    }

    @Test("answers, faults, and neither")
    func answers() throws {
        let good = Self.envelope("<u:AResponse xmlns:u=\"y\"><X>1</X><X>2</X></u:AResponse>")
        #expect(try SOAPMessage.arguments(in: good, action: "A") == ["X": "1"])
        #expect(throws: PortMappingError(.malformedAnswer, "")) { try SOAPMessage.arguments(in: good, action: "B") }
        #expect(throws: UPnPFault(code: 718, text: "Nope")) { try SOAPMessage.arguments(in: Self.envelope(Self.fault(718)), action: "A") }
        for code in [-1, 0, 99, 1000] {
            #expect(throws: PortMappingError(.malformedAnswer, "")) { try SOAPMessage.arguments(in: Self.envelope(Self.fault(code)), action: "A") }
        }
        #expect(throws: PortMappingError(.malformedAnswer, "")) { try SOAPMessage.arguments(in: Self.envelope("<s:Fault/>"), action: "A") }
        #expect(throws: PortMappingError(.malformedAnswer, "")) { try SOAPMessage.arguments(in: Array("<html/>".utf8), action: "A") }
        for count in 0..<good.count { #expect(throws: (any Error).self) { try SOAPMessage.arguments(in: Array(good.prefix(count)), action: "A") } }
    }

    @Test("table lines with fields out of range are refused")
    func entries() throws {
        #expect(
            try UPnPMappingEntry(["NewInternalClient": "192.168.1.2", "NewInternalPort": "80"])
                == UPnPMappingEntry(internalClient: IPv4Address(192, 168, 1, 2), internalPort: 80))
        for arguments in [["NewInternalClient": "x", "NewInternalPort": "80"], ["NewInternalClient": "192.168.1.2", "NewInternalPort": "65536"], [:]] {
            #expect(throws: PortMappingError(.malformedAnswer, "")) { try UPnPMappingEntry(arguments) }
        }
    }
}
