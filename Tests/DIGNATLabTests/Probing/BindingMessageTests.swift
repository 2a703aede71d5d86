#if os(Linux)
import Testing

@testable import DIGNATLab

@Suite("Binding messages of the probes")
struct BindingMessageTests {
    private let identifier: [UInt8] = Array(1...12)

    @Test("a request with CHANGE-REQUEST is these bytes (RFC 5780 §7.2)")
    func request() {
        let message = BindingMessage(request: self.identifier, changesAddress: true, changesPort: true)
        #expect(message.bytes == [0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42] + self.identifier + [0, 3, 0, 4, 0, 0, 0, 6])
        #expect(BindingMessage(message.bytes) == message)
    }

    @Test("a response is read back, over IPv4 and IPv6")
    func response() throws {
        for (a, b) in [("192.0.2.1:32853", "203.0.113.3:3479"), ("[2001:db8::1]:1", "[2001:db8::2]:65535")] {
            let mapped = try #require(Endpoint(a)), other = try #require(Endpoint(b))
            let message = BindingMessage(response: self.identifier, mapped: mapped, origin: other, other: other)
            #expect(BindingMessage(message.bytes) == message)
        }
    }

    @Test("no strict prefix is a message, and a damaged one is none either")
    func damaged() throws {
        let endpoint = try #require(Endpoint("192.0.2.1:80"))
        let bytes = BindingMessage(response: self.identifier, mapped: endpoint, origin: endpoint, other: endpoint).bytes
        for count in 0..<bytes.count { #expect(BindingMessage(Array(bytes.prefix(count))) == nil) }
        for (index, value) in [(0, UInt8(0x80)), (4, 0), (3, 1), (23, 200)] {
            var changed = bytes
            changed[index] = value
            #expect(BindingMessage(changed) == nil, "\(index)")
        }
    }

    @Test("endpoints are read from text, and nothing else is one")
    func endpoints() {
        #expect(Endpoint("[2001:db8::1]:80")?.description == "[2001:db8::1]:80")
        #expect(Endpoint("192.0.2.1:80")?.description == "192.0.2.1:80")
        for text in ["", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "host:80", "192.0.2:80", "[192.0.2.1:80"] { #expect(Endpoint(text) == nil, "\(text)") }
    }
}
#endif
