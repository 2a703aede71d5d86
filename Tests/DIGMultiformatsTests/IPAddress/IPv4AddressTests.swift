import DIGMultiformats
import Testing

@Suite("IPv4 address")
struct IPv4AddressTests {
    @Test("parses and prints", arguments: ["0.0.0.0", "1.2.3.4", "127.0.0.1", "192.168.100.200", "255.255.255.255"])
    func text(_ text: String) throws {
        let address = try #require(IPv4Address(text))
        #expect(address.description == text)
        #expect(IPv4Address(bytes: address.bytes) == address)
    }

    @Test("keeps the order of the bytes")
    func bytesInOrder() {
        #expect(IPv4Address(1, 2, 3, 4).bytes == [1, 2, 3, 4])
        #expect(IPv4Address(bytes: [1, 2, 3]) == nil)
        #expect(IPv4Address(bytes: [1, 2, 3, 4, 5]) == nil)
    }

    @Test(
        "refuses everything else",
        arguments: [
            "", ".", "1", "1.2.3", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4.", "1.2.3.4.5", "256.1.1.1", "1.1.1.256", "01.1.1.1",
            "1.1.1.00", "1.1.1.1 ", " 1.1.1.1", "+1.1.1.1", "-1.1.1.1", "0x1.1.1.1", "1.1.1.١", "99999999999999999999.1.1.1",
        ])
    func refused(_ text: String) {
        #expect(IPv4Address(text) == nil)
    }

    @Test(
        "knows how far it reaches: the ends of each special range",
        arguments: [
            ("0.0.0.0", AddressScope.unspecified), ("0.0.0.1", .reserved), ("0.255.255.255", .reserved), ("1.0.0.0", .global),
            ("9.255.255.255", .global), ("10.0.0.0", .private), ("10.255.255.255", .private), ("11.0.0.0", .global),
            ("100.63.255.255", .global), ("100.64.0.0", .carrierGradeNAT), ("100.127.255.255", .carrierGradeNAT), ("100.128.0.0", .global),
            ("126.255.255.255", .global), ("127.0.0.1", .loopback), ("127.255.255.255", .loopback), ("128.0.0.0", .global),
            ("169.253.255.255", .global), ("169.254.0.0", .linkLocal), ("169.254.255.255", .linkLocal),
            ("172.15.255.255", .global), ("172.16.0.0", .private), ("172.31.255.255", .private), ("172.32.0.0", .global),
            ("172.200.1.1", .global), ("192.0.0.1", .reserved), ("192.0.1.0", .global), ("192.0.2.1", .documentation),
            ("192.88.99.1", .reserved), ("192.167.255.255", .global), ("192.168.0.0", .private), ("192.168.255.255", .private),
            ("198.17.255.255", .global), ("198.18.0.0", .reserved), ("198.19.255.255", .reserved), ("198.20.0.0", .global),
            ("198.51.100.7", .documentation), ("203.0.113.7", .documentation), ("223.255.255.255", .global),
            ("224.0.0.251", .multicast), ("239.255.255.255", .multicast), ("240.0.0.0", .reserved), ("255.255.255.255", .reserved),
        ])
    func scope(text: String, scope: AddressScope) throws {
        #expect(try #require(IPv4Address(text)).scope == scope)
    }
}
