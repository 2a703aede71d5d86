import Testing

@testable import DIGSTUN

@Suite("STUN addresses")
struct STUNServerAddressTests {
    @Test(
        "are read and written as RFC 7064 says",
        arguments: [
            ("stun:stun.l.google.com:19302", STUNServerAddress(host: "stun.l.google.com", port: 19302), "stun:stun.l.google.com:19302"),
            ("stun:example.org", STUNServerAddress(host: "example.org", port: 3478), "stun:example.org"),
            ("STUN:example.org:3478", STUNServerAddress(host: "example.org"), "stun:example.org"),
            ("stuns:example.org", STUNServerAddress(scheme: .stuns, host: "example.org", port: 5349), "stuns:example.org"),
            ("stun:192.0.2.1:1", STUNServerAddress(host: "192.0.2.1", port: 1), "stun:192.0.2.1:1"),
            ("stun:[2001:db8::1]", STUNServerAddress(host: "2001:db8::1"), "stun:[2001:db8::1]"),
            ("stun:[::ffff:192.0.2.1]:65535", STUNServerAddress(host: "::ffff:192.0.2.1", port: 65535), "stun:[::ffff:192.0.2.1]:65535"),
        ])
    func valid(text: String, expected: STUNServerAddress, written: String) throws {
        let address = try STUNServerAddress(text)
        #expect(address == expected)
        #expect(address.description == written)
        #expect(try STUNServerAddress(written) == expected)
    }

    @Test(
        "are refused otherwise",
        arguments: [
            "", "stun", "stun:", "stun::1", "turn:example.org", "example.org:3478", "stun://example.org", "stun:example.org:", "stun:example.org:0",
            "stun:example.org:65536", "stun:example.org:-1", "stun:example.org:+1", "stun:example.org:1:2", "stun:exa mple.org", "stun:example.org/",
            "stun:[2001:db8::1", "stun:[example.org]", "stun:[]", "stun:[::1]x", "stun:user@example.org", "stun:example.org?transport=udp",
            "stun:2001:db8::1", "stun:\u{0}", "stun:ex\u{e4}mple.org", "stun:" + String(repeating: "a", count: 254), "stun:[::1%eth0]",
            "stun:example.org:99999999999999999999999",
        ])
    func invalid(text: String) {
        #expect(throws: STUNError(.invalidAddress, "")) { try STUNServerAddress(text) }
    }
}
