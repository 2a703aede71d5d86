import DIGIdentity
import DIGMultiformats
import Testing

@Suite("Crypto identity")
struct CryptoIdentityTests {
    static let walletKey = "0x0000000000000000000000000000000000000000000000000000000000000001"
    static let compressed = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    static let uncompressed =
        "0x0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"

    @Test("signs and checks in every algorithm and encoding", arguments: KeyAlgorithm.allCases, CryptoIdentity.OutputEncoding.allCases)
    func roundTrip(algorithm: KeyAlgorithm, encoding: CryptoIdentity.OutputEncoding) throws {
        let pair = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        let identity = CryptoIdentity(keyPair: pair, outputEncoding: encoding)
        let publicKey = Base16.encode(pair.publicKey.rawRepresentation)
        let signature = try identity.sign("data to sign")
        #expect(identity.verify("data to sign", signature: signature, publicKey: publicKey))
        #expect(identity.verify(Array("data to sign".utf8), signature: signature))
        #expect(!identity.verify("data to sigh", signature: signature, publicKey: publicKey))
        #expect(!identity.verify("data to sign", signature: String(signature.dropLast(4)), publicKey: publicKey))
        #expect(!identity.verify("data to sign", signature: "", publicKey: publicKey))
        #expect(!identity.verify("data to sign", signature: "not a signature", publicKey: publicKey))
        #expect(!identity.verify("data to sign", signature: signature, publicKey: ""))
        #expect(!identity.verify("data to sign", signature: signature, publicKey: "not a key"))
        let other = try KeyPair.generate(algorithm, rsaKeySize: 2048).publicKey
        #expect(!identity.verify(Array("data to sign".utf8), signature: signature, publicKey: other))
    }

    @Test("takes a wallet's keys in every form")
    func wallet() throws {
        let forms = ["", Self.compressed, "0x" + Self.compressed, Self.uncompressed, String(Self.uncompressed.dropFirst(2)).uppercased()]
        for publicKey in forms {
            let identity = try CryptoIdentity(privateKey: Self.walletKey, publicKey: publicKey, algorithm: .secp256k1)
            #expect(identity.ethereumAddress == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")
            #expect(identity.publicKeyText == Self.compressed)
            // The published signature of key 1.
            #expect(
                try identity.sign("Satoshi Nakamoto")
                    == "3045022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d802202442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5")
            #expect(identity.getNodeId() == identity.publicKey.nodeID.description)
        }
    }

    @Test("with an empty private key checks and does not sign")
    func verifyOnly() throws {
        let signer = try CryptoIdentity(privateKey: Self.walletKey, algorithm: .secp256k1)
        let checker = try CryptoIdentity(privateKey: "", publicKey: Self.uncompressed, algorithm: .secp256k1, outputEncoding: .hex)
        #expect(!checker.canSign)
        #expect(checker.getNodeId() == signer.getNodeId())
        let signature = try signer.sign("data")
        #expect(checker.verify(Array("data".utf8), signature: signature))
        #expect(checker.verify("data", signature: "0x" + signature, publicKey: Self.compressed))
        #expect(throws: IdentityError(.noPrivateKey, "")) { try checker.sign("data") }
    }

    @Test("signs with RSA in PSS, not PKCS#1")
    func rsa() throws {
        let pair = try KeyPair(protobufEncoded: PeerIDsVectors.rsaPrivateKey)
        let identity = CryptoIdentity(keyPair: pair)
        let message = Array("libp2p".utf8)
        #expect(identity.verify(message, signature: Base16.encode(RSAVectors.pssSignature)))
        #expect(!identity.verify(message, signature: Base16.encode(RSAVectors.pkcs1Signature)))
        let own = try identity.sign(message)
        #expect(identity.verify(message, signature: own))
        #expect(!pair.publicKey.isValidSignature(bytes(own), for: message))
        // PKCS#1 DER in hexadecimal, as the protobuf form holds it behind five bytes.
        let text = Base16.encode(PeerIDsVectors.rsaPrivateKey.dropFirst(5))
        #expect(try CryptoIdentity(privateKey: text, algorithm: .rsa).publicKey == pair.publicKey)
    }

    @Test("takes Ed25519 seeds, and seeds with the public key")
    func ed25519() throws {
        let seed = Base16.encode(PeerIDsVectors.ed25519PrivateKey[4..<36])
        let both = Base16.encode(PeerIDsVectors.ed25519PrivateKey[4..<68])
        let publicKey = try PublicKey(protobufEncoded: PeerIDsVectors.ed25519PublicKey)
        #expect(try CryptoIdentity(privateKey: seed, algorithm: .ed25519).publicKey == publicKey)
        #expect(try CryptoIdentity(privateKey: both, algorithm: .ed25519).publicKey == publicKey)
    }

    @Test("refuses keys that do not belong together, are of another algorithm, or are missing")
    func refused() throws {
        let stranger = Base16.encode(try KeyPair.generate(.secp256k1).publicKey.rawRepresentation)
        #expect(throws: IdentityError(.keyMismatch, "")) {
            try CryptoIdentity(privateKey: Self.walletKey, publicKey: stranger, algorithm: .secp256k1)
        }
        #expect(throws: IdentityError(.invalidPublicKey, "")) { try CryptoIdentity(algorithm: .ed25519) }
        #expect(throws: IdentityError(.invalidPublicKey, "")) { try CryptoIdentity(publicKey: Self.compressed, algorithm: .ed25519) }
        #expect(throws: IdentityError(.invalidPublicKey, "")) { try CryptoIdentity(publicKey: Self.compressed, algorithm: .rsa) }
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try CryptoIdentity(privateKey: "secret", algorithm: .secp256k1) }
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try CryptoIdentity(privateKey: "0x", algorithm: .ed25519) }
    }
}
