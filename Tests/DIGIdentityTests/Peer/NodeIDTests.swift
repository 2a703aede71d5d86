import DIGIdentity
import Testing

@Suite("Node id")
struct NodeIDTests {
    /// `sha256sum` of the keys of the peer-ids specification.
    @Test(
        "is the SHA-256 of the public key",
        arguments: [
            (PeerIDsVectors.ed25519PublicKey, "9721e4d91af5f19ca75ecd49f5596d95d6964f0f06f5245474c8e06e95c8a823"),
            (PeerIDsVectors.secp256k1PublicKey, "949efbeabeb33abe424a1d46ccfc2c1cdee081c39802148df020490f6e533f39"),
        ])
    func knownAnswers(key: [UInt8], text: String) throws {
        let nodeID = try PublicKey(protobufEncoded: key).nodeID
        #expect(nodeID.description == text)
        #expect(try NodeID(text) == nodeID)
        #expect(try NodeID("0x" + text.uppercased()) == nodeID)
    }

    @Test("refuses other text", arguments: ["", "00", String(repeating: "0", count: 63), String(repeating: "g", count: 64), String(repeating: "0", count: 66)])
    func refused(text: String) {
        #expect(throws: IdentityError(.invalidNodeID, "")) { try NodeID(text) }
    }
}
