import DIGIdentity
import Testing

@Suite("Key pair")
struct KeyPairTests {
    @Test("makes keys that sign, and that are read as they were written", arguments: KeyAlgorithm.allCases)
    func generate(algorithm: KeyAlgorithm) throws {
        let pair = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        let message = Array("a message".utf8)
        let signature = try pair.sign(message)
        #expect(pair.publicKey.isValidSignature(signature, for: message))
        let copy = try KeyPair(protobufEncoded: pair.protobufEncoded)
        #expect(copy.publicKey == pair.publicKey)
        #expect(pair.publicKey.isValidSignature(try copy.sign(message), for: message))
        #expect(try PublicKey(protobufEncoded: pair.publicKey.protobufEncoded) == pair.publicKey)
        #expect(try KeyPair.generate(algorithm, rsaKeySize: 2048).publicKey != pair.publicKey)
    }

    @Test("refuses RSA keys outside the accepted sizes", arguments: [0, 1024, 2040, 2050, 8200, 16384])
    func rsaSizes(size: Int) {
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try KeyPair.generate(.rsa, rsaKeySize: size) }
    }

    @Test("reads an Ed25519 key with its public key once or twice, and only with its own (peer-ids)")
    func ed25519Forms() throws {
        let pair = try KeyPair(protobufEncoded: PeerIDsVectors.ed25519PrivateKey)
        let seed = Array(PeerIDsVectors.ed25519PrivateKey[4..<36])
        let publicKey = pair.publicKey.rawRepresentation
        let twice = [0x08, 0x01, 0x12, 0x60] + seed + publicKey + publicKey
        #expect(try KeyPair(protobufEncoded: twice).publicKey == pair.publicKey)
        var mismatch = twice
        mismatch[99] ^= 1
        #expect(throws: IdentityError(.keyMismatch, "")) { try KeyPair(protobufEncoded: mismatch) }
        mismatch = PeerIDsVectors.ed25519PrivateKey
        mismatch[67] ^= 1
        #expect(throws: IdentityError(.keyMismatch, "")) { try KeyPair(protobufEncoded: mismatch) }
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try KeyPair(protobufEncoded: [0x08, 0x01, 0x12, 0x20] + seed) }
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try KeyPair(ed25519Seed: seed.dropLast()) }
    }

    @Test("refuses key types that nobody knows")
    func unknownType() {
        #expect(throws: IdentityError(.invalidPublicKey, "")) { try PublicKey(protobufEncoded: bytes("0804 1201 00")) }
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try KeyPair(protobufEncoded: bytes("08ff 1201 00")) }
    }

    @Test("refuses RSA keys that are too long before it reads them")
    func longRSA() {
        let long = [UInt8](repeating: 0x30, count: 4096)
        #expect(throws: IdentityError(.invalidPublicKey, "")) { try PublicKey(.rsa, rawRepresentation: long) }
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try KeyPair(rsaDER: long + long + long) }
    }
}
