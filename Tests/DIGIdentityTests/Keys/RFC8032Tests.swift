import DIGIdentity
import Testing

/// RFC 8032 §7.1.
@Suite("Ed25519 vectors of RFC 8032")
struct RFC8032Tests {
    static let vectors: [(seed: String, publicKey: String, message: String, signature: String)] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ]

    @Test("keys and signatures are those of the RFC", arguments: vectors)
    func published(seed: String, publicKey: String, message: String, signature: String) throws {
        let pair = try KeyPair(ed25519Seed: bytes(seed))
        #expect(pair.publicKey.rawRepresentation == bytes(publicKey))
        #expect(pair.publicKey.isValidSignature(bytes(signature), for: bytes(message)))
        let own = try pair.sign(bytes(message))
        #expect(pair.publicKey.isValidSignature(own, for: bytes(message)))
        #expect(own == bytes(signature))
    }

    @Test("a signature with s plus the group's order is refused (§5.1.7)")
    func malleability() throws {
        let vector = Self.vectors[0]
        let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        var signature = bytes(vector.signature)
        var carry = 0
        for index in 0..<32 {
            carry += Int(signature[32 + index]) + Int(order[index])
            signature[32 + index] = UInt8(carry & 0xff)
            carry >>= 8
        }
        let key = try PublicKey(.ed25519, rawRepresentation: bytes(vector.publicKey))
        #expect(!key.isValidSignature(signature, for: []))
    }
}
