import DIGMultiformats
import DIGTestSupport
import Testing

@Suite("IPv6 address")
struct IPv6AddressTests {
    @Test(
        "prints as RFC 5952 asks",
        arguments: [
            ("2001:db8::1", "2001:db8::1"),
            ("2001:0db8::0001", "2001:db8::1"),  // §4.1
            ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),  // §4.2.1
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),  // §4.2.2
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),  // §4.2.3, the longest
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),  // §4.2.3, the first
            ("2001:DB8::AbCd", "2001:db8::abcd"),  // §4.3
            ("::", "::"), ("0:0:0:0:0:0:0:0", "::"), ("::1", "::1"), ("1::", "1::"), ("0:0:0:0:0:0:0:1", "::1"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("::ffff:c000:201", "::ffff:192.0.2.1"),  // §5
            ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
            ("::1.2.3.4", "::102:304"), ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ])
    func text(input: String, output: String) throws {
        let address = try #require(IPv6Address(input))
        #expect(address.description == output)
        #expect(IPv6Address(output) == address)
        #expect(IPv6Address(bytes: address.bytes) == address)
    }

    @Test(
        "refuses everything else",
        arguments: [
            "", ":", ":::", "1", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8",
            "1::2::3", "1:::2", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "12345::", "g::", "::1%lo", "[::1]", "::1/64", " ::1",
            "::1.2.3", "::1.2.3.4.5", "::256.1.1.1", "1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "1.2.3.4", "::-1",
            "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
        ])
    func refused(_ text: String) {
        #expect(IPv6Address(text) == nil)
    }

    @Test("prints every address so that it reads the same")
    func roundTrip() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            // Few non-zero groups, so that every place and length of a run of zeros comes up.
            var bytes = [UInt8](repeating: 0, count: 16)
            for index in 0..<16 where Bool.random(using: &generator) && Bool.random(using: &generator) {
                bytes[index] = UInt8.random(in: 0...255, using: &generator)
            }
            let address = IPv6Address(bytes: bytes)
            #expect(address?.bytes == bytes)
            #expect((address?.description).flatMap(IPv6Address.init) == address)
        }
    }

    @Test("takes exactly sixteen bytes")
    func byteCount() {
        #expect(IPv6Address(bytes: [UInt8](repeating: 0, count: 15)) == nil)
        #expect(IPv6Address(bytes: [UInt8](repeating: 0, count: 17)) == nil)
    }

    @Test(
        "knows how far it reaches",
        arguments: [
            ("::", AddressScope.unspecified), ("::1", .loopback), ("::2", .reserved), ("2606:4700::1", .global), ("3ffe::1", .global),
            ("2001:200::1", .global), ("2001:0:1::1", .reserved), ("2001:1ff:ffff::", .reserved), ("2001:db8::1", .documentation),
            ("3fff::1", .documentation), ("3fff:1000::", .global), ("fc00::1", .private), ("fdff:ffff::1", .private),
            ("fe80::1", .linkLocal), ("febf::1", .linkLocal), ("fec0::1", .private), ("fe00::1", .reserved), ("ff02::fb", .multicast),
            ("4000::1", .reserved), ("100::1", .reserved), ("64:ff9b:1::7f00:1", .private),
        ])
    func scope(text: String, scope: AddressScope) throws {
        #expect(try #require(IPv6Address(text)).scope == scope)
    }

    @Test(
        "has the scope of the IPv4 address inside",
        arguments: [
            ("::ffff:127.0.0.1", "127.0.0.1"), ("::ffff:10.1.2.3", "10.1.2.3"), ("::ffff:8.8.8.8", "8.8.8.8"),
            ("::ffff:0:192.168.1.1", "192.168.1.1"), ("64:ff9b::169.254.169.254", "169.254.169.254"), ("64:ff9b::8.8.8.8", "8.8.8.8"),
            ("2002:7f00:1::", "127.0.0.1"), ("2002:a01:203::5", "10.1.2.3"), ("2002:808:808::1", "8.8.8.8"),
        ])
    func embedded(text: String, inside: String) throws {
        let address = try #require(IPv6Address(text))
        let expected = try #require(IPv4Address(inside))
        #expect(address.embeddedIPv4 == expected)
        #expect(address.scope == expected.scope)
    }

    @Test("maps IPv4 addresses")
    func mapping() {
        #expect(IPv6Address(mapping: IPv4Address(1, 2, 3, 4)).description == "::ffff:1.2.3.4")
        #expect(IPv6Address(mapping: IPv4Address(1, 2, 3, 4)).mappedIPv4 == IPv4Address(1, 2, 3, 4))
        #expect(IPv6Address.loopback.mappedIPv4 == nil)
    }
}
