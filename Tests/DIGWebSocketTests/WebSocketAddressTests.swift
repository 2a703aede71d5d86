import DIGMultiformats
import Testing

@testable import DIGWebSocket

@Suite("WebSocket addresses")
struct WebSocketAddressTests {
    @Test(
        "every form is understood, with its Host",
        arguments: [
            ("/ip4/192.0.2.1/tcp/80/ws", "/ip4/192.0.2.1/tcp/80", false, "192.0.2.1"),
            ("/ip4/192.0.2.1/tcp/8080/ws", "/ip4/192.0.2.1/tcp/8080", false, "192.0.2.1:8080"),
            ("/ip6/2001:db8::1/tcp/443/wss", "/ip6/2001:db8::1/tcp/443", true, "[2001:db8::1]"),
            ("/dns4/example.com/tcp/443/wss", "/dns4/example.com/tcp/443", true, "example.com"),
            ("/dns/example.com/tcp/80/tls/ws", "/dns/example.com/tcp/80", true, "example.com:80"),
            ("/ip4/192.0.2.1/tcp/443/tls/sni/example.com/ws", "/ip4/192.0.2.1/tcp/443", true, "example.com"),
            ("/dns6/a.example/tcp/443/tls/sni/b.example/ws", "/dns6/a.example/tcp/443", true, "b.example"),
            ("/ip6zone/eth0/ip6/fe80::1/tcp/80/ws", "/ip6zone/eth0/ip6/fe80::1/tcp/80", false, "[fe80::1]"),
        ])
    func forms(text: String, endpoint: String, isSecure: Bool, host: String) throws {
        let address = try #require(WebSocketAddress(Multiaddr(text)))
        #expect(address.endpoint == (try Multiaddr(endpoint)))
        #expect(address.isSecure == isSecure)
        #expect(address.host == host)
        let named = try Multiaddr("\(text)/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN")
        #expect(WebSocketAddress(named) == address)
    }

    @Test(
        "others are not",
        arguments: [
            "/ip4/192.0.2.1/tcp/80", "/ip4/192.0.2.1/tcp/80/tls", "/ip4/192.0.2.1/tcp/80/ws/ws", "/ip4/192.0.2.1/udp/80/ws", "/ws", "/tcp/80/ws",
            "/ip4/192.0.2.1/tcp/443/sni/example.com/ws", "/ip4/192.0.2.1/tcp/443/tls/wss", "/dnsaddr/example.com/tcp/443/wss",
            "/ip4/192.0.2.1/tcp/443/wss/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit",
        ])
    func others(text: String) throws {
        #expect(WebSocketAddress(try Multiaddr(text)) == nil)
    }
}
