import DIGMultiformats
import Testing

@testable import DIGTraversal

@Suite("Telling networks apart")
struct NetworkFingerprintTests {
    private func print(external: [String] = [], interfaces: [String] = []) throws -> NetworkFingerprint {
        NetworkFingerprint(external: try external.map { try Multiaddr($0) }, interfaces: try interfaces.map { try Multiaddr($0) })
    }

    @Test("The public address names the network, whatever the port, the order and the interfaces")
    func external() throws {
        let one = try self.print(external: ["/ip4/203.0.113.4/tcp/1"], interfaces: ["/ip4/192.168.1.2/tcp/1"])
        #expect(one.description == "203.0.113.4")
        #expect(one == (try self.print(external: ["/ip4/203.0.113.4/tcp/2", "/ip4/203.0.113.4/tcp/3"], interfaces: ["/ip4/10.0.0.2/tcp/1"])))
        #expect(
            try self.print(external: ["/ip4/203.0.113.9/tcp/1", "/ip4/203.0.113.4/tcp/1"])
                == self.print(external: ["/ip4/203.0.113.4/tcp/1", "/ip4/203.0.113.9/tcp/1"]))
        #expect(one != (try self.print(external: ["/ip4/203.0.113.5/tcp/1"])))
    }

    @Test("Without one the interfaces do")
    func interfaces() throws {
        #expect(try self.print(interfaces: ["/ip4/192.168.1.2/tcp/1", "/ip4/10.0.0.7/tcp/4"]).description == "10.0.0.7 192.168.1.2")
        #expect(try self.print() == .unknown)
        #expect(try self.print(interfaces: ["/memory/3"]) == .unknown)
    }

    @Test("Of IPv6 the network part counts: the rest changes daily")
    func ipv6() throws {
        #expect(
            try self.print(interfaces: ["/ip6/2001:db8:1:2:aaaa::1/tcp/1"]) == self.print(interfaces: ["/ip6/2001:db8:1:2:bbbb::9/tcp/7"]))
        #expect(
            try self.print(interfaces: ["/ip6/2001:db8:1:2:aaaa::1/tcp/1"]) != self.print(interfaces: ["/ip6/2001:db8:1:3:aaaa::1/tcp/1"]))
    }
}
