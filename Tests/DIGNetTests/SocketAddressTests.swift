import DIGMultiformats
import NIOCore
import Testing

@testable import DIGNet

@Suite("Socket addresses as multiaddrs")
struct SocketAddressTests {
    @Test("keep address and port both ways", arguments: ["/ip4/192.0.2.1", "/ip6/2001:db8::1", "/ip6/::1", "/ip4/0.0.0.0"])
    func roundTrip(text: String) throws {
        let address = try Multiaddr(text)
        let socketAddress = try SocketAddress(ip: address.components, port: 4001)
        #expect(socketAddress.port == 4001)
        #expect(Multiaddr(ip: socketAddress) == address)
    }

    @Test("keep the zone of a link-local address")
    func zone() throws {
        let address = Multiaddr(components: [.ip6zone("1"), .ip6(.loopback)])
        let back = try #require(Multiaddr(ip: SocketAddress(ip: address.components, port: 1)))
        // The first interface is the loopback one, whatever its name.
        #expect(back.components.count == 2)
        #expect(throws: SocketAddress.UnknownZone(name: "nosuch0")) {
            try SocketAddress(ip: [.ip6zone("nosuch0"), .ip6(.loopback)], port: 1)
        }
    }

    @Test("need an IP address")
    func others() throws {
        #expect(throws: SocketAddressError.self) { try SocketAddress(ip: [.dns("example.com")], port: 1) }
        #expect(throws: SocketAddressError.self) { try SocketAddress(ip: [.ip6zone("1")], port: 1) }
        #expect(try Multiaddr(ip: SocketAddress(unixDomainSocketPath: "/tmp/x")) == nil)
    }
}
