import DIGContent
import DIGMultiformats
import DIGTraversal
import Testing

@testable import dig_nat

@Suite("Addresses in links and paths in words")
struct AddressTests {
    @Test("public addresses come first; loopback and link-local only if there is nothing else")
    func select() throws {
        let addresses = try ["/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.1/tcp/1", "/ip4/192.168.1.2/tcp/1", "/ip4/9.9.9.9/tcp/1", "/ip6/fe80::1/tcp/1", "/ip6/2600::1/tcp/1"].map { try Multiaddr($0) }
        #expect(LinkAddresses.select(addresses).map(\.description) == ["/ip4/9.9.9.9/tcp/1", "/ip6/2600::1/tcp/1", "/ip4/192.168.1.2/tcp/1", "/ip4/192.0.2.1/tcp/1"])
        #expect(LinkAddresses.select([addresses[0]]) == [addresses[0]])
        #expect(LinkAddresses.select([]) == [])
    }

    @Test("a path says what carries the bytes and from how far")
    func path() throws {
        let texts: [(String, String)] = [
            ("/ip4/9.9.9.9/tcp/1", "TCP direct"), ("/ip4/10.0.0.1/tcp/1", "TCP on this network"), ("/ip6/::1/tcp/1", "TCP on this machine"),
            ("/ip4/9.9.9.9/tcp/443/wss", "WebSocket direct"), ("/ip4/9.9.9.9/udp/1/quic-v1", "QUIC direct"), ("/ip4/9.9.9.9/tcp/1/p2p-circuit", "relayed"),
        ]
        func path(_ address: String, _ method: TraversalMethod = .direct) throws -> ConnectionPath {
            ConnectionPath(method: method, address: try Multiaddr(address), origin: nil)
        }
        for (address, text) in texts { #expect(PathDescription.text(try path(address)) == text) }
        #expect(PathDescription.text(try path("/ip4/9.9.9.9/tcp/1", .tcpHolePunch)) == "TCP through the NAT")
        #expect(PathDescription.text(try path("/ip4/9.9.9.9/tcp/1", .portMapping)) == "TCP through a mapped port")
        let many = try ["/ip4/10.0.0.1/tcp/1", "/ip4/9.9.9.9/tcp/1", "/ip4/10.0.0.2/tcp/1"].map { try path($0) }
        #expect(PathDescription.text(many) == "TCP on this network, TCP direct")
        #expect(PathDescription.text([]) == nil)
    }

    @Test("everything was sent once when every file was, in however many sessions")
    func once() {
        let (a, b, empty) = (1, 2, 3)
        func hash(_ number: Int) -> ContentHash { ContentHash(digest: SHA256Digest(hashing: [UInt8(number)])) }
        var sent = SentOnce(files: [hash(a): 100, hash(b): 50, hash(empty): 0])
        #expect(!sent.isComplete)
        sent.sent([hash(a): 60])
        sent.sent([hash(b): 50, hash(9): 1000])
        #expect(!sent.isComplete)
        sent.sent([hash(a): 40])
        #expect(sent.isComplete)
        var none = SentOnce(files: [hash(empty): 0])
        #expect(!none.isComplete)
        none.sent([:])
        #expect(none.isComplete)
    }
}
