import DIGIdentity
import DIGMultiformats
import Testing

@Suite("Overlay address")
struct OverlayAddressTests {
    @Test("is that of the peer, of its key, and of nobody else", arguments: KeyAlgorithm.allCases)
    func derived(algorithm: KeyAlgorithm) throws {
        let key = try KeyPair.generate(algorithm, rsaKeySize: 2048).publicKey
        let address = OverlayAddress(key)
        #expect(address == OverlayAddress(key.peerID))
        #expect(address.names(key))
        #expect(address.names(key.peerID))
        let other = try KeyPair.generate(algorithm, rsaKeySize: 2048).publicKey
        #expect(!address.names(other))
        #expect(!address.names(other.peerID))
        #expect(address.description.hasPrefix("fd"))
        #expect(OverlayAddress(address.description) == address)
        #expect(OverlayAddress(address.address) == address)
    }

    /// Computed with Python's hashlib from the definition, for the keys of libp2p's peer-ids specification.
    @Test("is what the definition says")
    func definition() throws {
        #expect(OverlayAddress(try PublicKey(protobufEncoded: PeerIDsVectors.ed25519PublicKey)).description == "fd99:bc89:4be6:472b:348:c979:b:10aa")
        let one = try KeyPair(secp256k1PrivateKey: Secp256k1Tests.one)
        #expect(OverlayAddress(one.publicKey).description == "fd09:6855:dcf9:3b4c:4f83:f939:ca09:fa3")
    }

    @Test("is read in every form of an IPv6 address that begins with fd, and in no other")
    func text() throws {
        #expect(OverlayAddress("fd00::1")?.description == "fd00::1")
        #expect(OverlayAddress("FDFF:0:0:0:0:0:0:1")?.description == "fdff::1")
        for text in ["", "fc00::1", "fe80::1", "::1", "2001:db8::1", "00fd::1", "::fd00:1", "fd00::1%eth0", "fd00::/8", "[fd00::1]", "10.0.0.1", "fd"] {
            #expect(OverlayAddress(text) == nil)
        }
    }

    @Test("is never taken for an address that packets could go to")
    func scope() throws {
        for _ in 0..<100 { #expect(OverlayAddress(try KeyPair.generate().peerID).address.scope == .private) }
    }

    @Test("differs for a great many peers")
    func collisions() throws {
        var seen = Set<OverlayAddress>()
        for _ in 0..<2000 { seen.insert(OverlayAddress(try KeyPair.generate().peerID)) }
        #expect(seen.count == 2000)
    }
}
