import DIGMultiformats
import Testing

@testable import DIGSwarm

@Suite("Origin of a connection")
struct OriginTests {
    @Test("is an IPv4 address, mapped or not, or a network of 64 bits; ports do not matter, and this machine is exempt")
    func origins() throws {
        func origin(_ text: String) throws -> Origin? { Origin(try Multiaddr(text)) }
        #expect(try origin("/ip4/192.0.2.1/tcp/1") == origin("/ip4/192.0.2.1/tcp/2"))
        #expect(try origin("/ip4/192.0.2.1/tcp/1") == origin("/ip6/::ffff:192.0.2.1/tcp/1"))
        #expect(try origin("/ip4/192.0.2.1/tcp/1") != origin("/ip4/192.0.2.2/tcp/1"))
        #expect(try origin("/ip6/2001:db8::1/tcp/1") == origin("/ip6/2001:db8::ffff:1/tcp/1"))
        #expect(try origin("/ip6/2001:db8::1/tcp/1") != origin("/ip6/2001:db8:0:1::1/tcp/1"))
        #expect(try origin("/ip6zone/eth0/ip6/fe80::1/tcp/1") != nil)
        for exempt in ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1", "/memory/1"] { #expect(try origin(exempt) == nil) }
    }
}
