@testable import DIGPortMapping
import DIGMultiformats
import Testing

@Suite("Routing tables")
struct RoutingTableTests {
    static let route4 = """
        Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
        wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
        eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
        eth1\t00000000\t0100000A\t0002\t0\t0\t1\t00000000\t0\t0\t0
        eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
        tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000080\t0\t0\t0

        """
    static let route6 = """
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000002 00000064 00000001 00000000 00000003    wlan0
        20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
        """

    @Test("the gateway of the best default route that is up")
    func parses() throws {
        let table = RoutingTable(route4: Self.route4, route6: Self.route6)
        #expect(table.default4 == .init(gateway: IPv4Address(192, 168, 1, 254), interface: "eth0", metric: 100))
        #expect(table.default6?.gateway.description == "fe80::2")
        #expect(table.default6?.interface == "wlan0")
    }

    @Test("no route, no gateway; lines that cannot be read are skipped")
    func rubbish() {
        #expect(RoutingTable(route4: "", route6: "").default4 == nil)
        #expect(RoutingTable(route4: "Iface\nx\t00000000\tzz\t3\t0\t0\t0\t0\n", route6: "0 00 0 0 zz 0 0 0 3 eth0").default4 == nil)
        let text = Array(Self.route4)
        for count in 0..<text.count { _ = RoutingTable(route4: String(text.prefix(count)), route6: String(Array(Self.route6).prefix(count))) }
    }
}
