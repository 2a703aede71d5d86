@testable import DIGPortMapping
import DIGMultiformats
import Testing

@Suite("URLs of a gateway")
struct GatewayURLTests {
    @Test("addresses with a port, a path, both or none")
    func parses() {
        #expect(GatewayURL("http://192.168.1.1:5000/rootDesc.xml") == GatewayURL(host: IPv4Address(192, 168, 1, 1), port: 5000, path: "/rootDesc.xml"))
        #expect(GatewayURL("HTTP://192.168.1.1")?.path == "/")
        #expect(GatewayURL("http://192.168.1.1?a=b")?.path == "/?a=b")
        #expect(GatewayURL("http://192.168.1.1")?.description == "http://192.168.1.1/")
    }

    @Test("nothing else", arguments: [
        "", "http://", "https://192.168.1.1/", "ftp://192.168.1.1/", "http://router.lan/", "http://[::1]/", "http://192.168.1.1:0/", "http://192.168.1.1:65536/",
        "http://192.168.1.1:/", "http://192.168.1.1:+80/", "http://192.168.1.1:80:80/", "http://0x7f.0.0.1/", "http://2130706433/", "http://127.1/",
        "http://user@192.168.1.1/", "http://192.168.1.1/a b", "http://192.168.1.1/\r\nX: y", "http://192.168.1.1/#a", "http://192.168.1.1/é", " http://192.168.1.1/",
    ])
    func refuses(text: String) {
        #expect(GatewayURL(text) == nil)
    }

    @Test("long ones are refused")
    func long() {
        #expect(GatewayURL("http://192.168.1.1/" + String(repeating: "a", count: 1000)) != nil)
        #expect(GatewayURL("http://192.168.1.1/" + String(repeating: "a", count: 1024)) == nil)
    }

    @Test("references are resolved")
    func resolves() throws {
        let base = try #require(GatewayURL("http://192.168.1.1:5000/igd/rootDesc.xml?x=/"))
        #expect(base.resolving("/ctl")?.description == "http://192.168.1.1:5000/ctl")
        #expect(base.resolving("ctl/IPConn")?.description == "http://192.168.1.1:5000/igd/ctl/IPConn")
        #expect(base.resolving("http://192.168.1.1:5001/ctl")?.description == "http://192.168.1.1:5001/ctl")
        #expect(base.resolving("//10.0.0.1/ctl") == nil)
        #expect(base.resolving("") == nil)
        #expect(base.resolving("a\r\nb") == nil)
    }
}
