import DIGIdentity
import DIGMultiformats
import Foundation
import Testing

@Suite("Peer id")
struct PeerIDTests {
    /// libp2p specs, peer-ids, "Decoding": one id in both text forms.
    static let base58 = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"

    @Test("reads both text forms and prints base 58")
    func texts() throws {
        let peer = try PeerID(Self.base58)
        #expect(peer.description == Self.base58)
        #expect(try PeerID(peer.cid) == peer)
        #expect(try PeerID(Multibase.base36.encode([0x01, 0x72] + peer.bytes)) == peer)
        #expect(try PeerID(bytes: peer.bytes) == peer)
        let cid = try PeerID("bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe")
        #expect(cid.cid == "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe")
        #expect(cid == peer)
        let inline = try PeerID("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA")
        #expect(inline.publicKey?.peerID == inline)
        #expect(peer.publicKey == nil)
    }

    @Test(
        "refuses text that names no peer",
        arguments: [
            "", "Q", "Qm", "1", "12D3", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx50",
            "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N ", "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqx",
            // The codec is dag-pb, not libp2p-key.
            "bafybeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe", "peer", "ü",
            String(repeating: "1", count: 100_000), String(repeating: "b", count: 100_000),
        ])
    func refused(text: String) {
        #expect(throws: IdentityError(.invalidPeerID, "")) { try PeerID(text) }
    }

    @Test("refuses multihashes that name no peer")
    func refusedBytes() throws {
        let peer = try PeerID(Self.base58)
        for count in 0..<peer.bytes.count {
            #expect(throws: IdentityError(.invalidPeerID, "")) { try PeerID(bytes: peer.bytes.prefix(count)) }
        }
        let refused = [
            peer.bytes + [0], bytes("0000"), bytes("1201 00"), [0x13] + peer.bytes.dropFirst(), [0x00, 43] + [UInt8](repeating: 1, count: 43),
        ]
        for bytes in refused {
            #expect(throws: IdentityError(.invalidPeerID, "")) { try PeerID(bytes: bytes) }
        }
        // An id may hold bytes that are no key; it then names nobody who could prove it.
        #expect(try PeerID(bytes: [0x00, 42] + [UInt8](repeating: 1, count: 42)).publicKey == nil)
    }

    @Test("sorts by bytes and is text in JSON")
    func ordering() throws {
        let peers = try (0..<8).map { _ in try KeyPair.generate().peerID }
        let sorted = peers.sorted()
        #expect(zip(sorted, sorted.dropFirst()).allSatisfy { $0.bytes.lexicographicallyPrecedes($1.bytes) })
        #expect(try JSONDecoder().decode([PeerID].self, from: JSONEncoder().encode(peers)) == peers)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([PeerID].self, from: Data(#"["Qm"]"#.utf8)) }
    }

    @Test("is found at the end of an address, but not before a circuit")
    func inAddresses() throws {
        let relay = try KeyPair.generate().peerID
        let peer = try KeyPair.generate(.ecdsa).peerID
        let plain = try Multiaddr("/ip4/192.0.2.1/tcp/4001")
        let direct = try Multiaddr("/ip4/192.0.2.1/tcp/4001/p2p/\(relay)")
        let circuit = try Multiaddr("\(direct)/p2p-circuit")
        let through = try Multiaddr("\(circuit)/p2p/\(peer)")
        #expect(plain.peerID == nil)
        #expect(direct.peerID == relay)
        #expect(circuit.peerID == nil)
        #expect(through.peerID == peer)
        #expect(plain.withPeerID(relay) == direct)
        #expect(direct.withPeerID(peer).peerID == peer)
        #expect(direct.withPeerID(peer).components.count == 3)
        #expect(direct.removingPeerID() == plain)
        #expect(plain.removingPeerID() == plain)
        #expect(through.removingPeerID() == circuit)
        #expect(circuit.removingPeerID() == circuit)
        #expect(circuit.withPeerID(peer) == through)
    }
}
