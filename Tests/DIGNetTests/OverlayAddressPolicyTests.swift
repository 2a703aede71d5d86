import DIGIdentity
import DIGMultiformats
import DIGNet
import Testing

@Suite("Address policy and overlay addresses")
struct OverlayAddressPolicyTests {
    @Test("a peer's overlay address is never dialed on somebody's word, in no form of a multiaddress")
    func refused() throws {
        let peer = try KeyPair.generate().peerID
        for address in [OverlayAddress(peer).address.description, "fd00::1", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            for policy in [AddressPolicy(), AddressPolicy(treatsDocumentationAsPublic: true)] {
                for end in ["", "/tcp/4001", "/udp/4001/quic-v1", "/tcp/443/tls/ws", "/tcp/4001/p2p/\(peer)", "/tcp/4001/p2p/\(peer)/p2p-circuit"] {
                    #expect(try !policy.isPublic(Multiaddr("/ip6/\(address)\(end)")))
                }
            }
        }
    }
}
