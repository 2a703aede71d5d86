import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Testing

/// libp2p specs, peer-ids, "Test vectors". The peer ids and signatures were computed with pyca/cryptography and libsecp256k1's
/// Python binding from the same keys.
@Suite("Keys of the peer-ids specification")
struct PeerIDsVectorTests {
    struct Vector: Sendable {
        var algorithm: KeyAlgorithm
        var privateKey: [UInt8]
        var publicKey: [UInt8]
        var peerID: String
        /// Of the text "libp2p".
        var signature: [UInt8]
        /// Whether signing gives the same bytes each time.
        var isDeterministic: Bool
    }

    static let vectors: [Vector] = [
        Vector(
            algorithm: .ed25519, privateKey: PeerIDsVectors.ed25519PrivateKey, publicKey: PeerIDsVectors.ed25519PublicKey,
            peerID: "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
            signature: bytes(
                "4ca0bc70e79622eaec28ea3f707909fae2d1e7102fec1f49de10feaaa4ddfc35352caecba9360da297196840d59ac7f9d2afcbed787ed5648b654a63534fe20d"),
            isDeterministic: true),
        Vector(
            algorithm: .secp256k1, privateKey: PeerIDsVectors.secp256k1PrivateKey, publicKey: PeerIDsVectors.secp256k1PublicKey,
            peerID: "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY",
            signature: bytes(
                "304402204d9f626b3d58242c57a8000f45430994f326a4623a3946aaeba190b6993866dc0220288c4200b18d72b332a2cfa6e6f67b3db915850ab03d937c392d05053963bc6f"
            ),
            isDeterministic: true),
        Vector(
            algorithm: .ecdsa, privateKey: PeerIDsVectors.ecdsaPrivateKey, publicKey: PeerIDsVectors.ecdsaPublicKey,
            peerID: "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk",
            signature: bytes(
                "3045022100d9e33e9ebf089c1d4897271b541415149c1bb72f80a99af3834900d21f20ae8f022033397d034cb988e3670a492594e25be1e28d5bd214c84779c9d3103851f78765"
            ),
            isDeterministic: false),
        Vector(
            algorithm: .rsa, privateKey: PeerIDsVectors.rsaPrivateKey, publicKey: PeerIDsVectors.rsaPublicKey,
            peerID: "QmaeANgBs1DTSxWSrPPtobgQuxW8XTfsS4ydbK4rCHzqxG", signature: RSAVectors.pkcs1Signature, isDeterministic: true),
    ]

    @Test("the public key comes out of the private key, and both are written as they were read", arguments: vectors)
    func keys(vector: Vector) throws {
        let pair = try KeyPair(protobufEncoded: vector.privateKey)
        #expect(pair.algorithm == vector.algorithm)
        #expect(pair.publicKey.protobufEncoded == vector.publicKey)
        #expect(pair.protobufEncoded == vector.privateKey)
        let publicKey = try PublicKey(protobufEncoded: vector.publicKey)
        #expect(publicKey == pair.publicKey)
        #expect(try PublicKey(vector.algorithm, rawRepresentation: publicKey.rawRepresentation) == publicKey)
    }

    @Test("the peer id is that of other implementations", arguments: vectors)
    func peerID(vector: Vector) throws {
        let publicKey = try PublicKey(protobufEncoded: vector.publicKey)
        #expect(publicKey.peerID.description == vector.peerID)
        #expect(try PeerID(vector.peerID) == publicKey.peerID)
        // Only short keys fit into the id.
        #expect(publicKey.peerID.publicKey == (vector.publicKey.count <= 42 ? publicKey : nil))
        #expect(publicKey.peerID.matches(publicKey))
    }

    @Test("signatures of other implementations are valid, and ours are the same", arguments: vectors)
    func signature(vector: Vector) throws {
        let pair = try KeyPair(protobufEncoded: vector.privateKey)
        let message = Array("libp2p".utf8)
        #expect(pair.publicKey.isValidSignature(vector.signature, for: message))
        let own = try pair.sign(message)
        #expect(pair.publicKey.isValidSignature(own, for: message))
        if vector.isDeterministic { #expect(own == vector.signature) }
    }

    @Test("no damaged signature, message or key passes", arguments: vectors)
    func damaged(vector: Vector) throws {
        let publicKey = try PublicKey(protobufEncoded: vector.publicKey)
        let message = Array("libp2p".utf8)
        #expect(!publicKey.isValidSignature(vector.signature, for: Array("libp2q".utf8)))
        #expect(!publicKey.isValidSignature([], for: message))
        // RSA is slow and its bytes are all alike: a sample.
        for index in stride(from: 0, to: vector.signature.count, by: vector.algorithm == .rsa ? 31 : 1) {
            var signature = vector.signature
            signature[index] ^= 0x10
            #expect(!publicKey.isValidSignature(signature, for: message), "byte \(index)")
            #expect(!publicKey.isValidSignature(vector.signature.prefix(index), for: message), "\(index) bytes")
        }
        for other in Self.vectors where other.algorithm != vector.algorithm {
            #expect(!(try PublicKey(protobufEncoded: other.publicKey).isValidSignature(vector.signature, for: message)))
        }
    }

    @Test("no strict prefix and no longer form is a key", arguments: vectors)
    func prefixes(vector: Vector) {
        for count in 0..<vector.publicKey.count {
            #expect(throws: IdentityError(.invalidPublicKey, "")) { try PublicKey(protobufEncoded: vector.publicKey.prefix(count)) }
        }
        for count in stride(from: 0, to: vector.privateKey.count, by: vector.algorithm == .rsa ? 17 : 1) {
            #expect(throws: IdentityError(.invalidPrivateKey, "")) { try KeyPair(protobufEncoded: vector.privateKey.prefix(count)) }
        }
        #expect(throws: IdentityError.self) { try PublicKey(protobufEncoded: vector.publicKey + [0]) }
        #expect(throws: IdentityError.self) { try KeyPair(protobufEncoded: vector.privateKey + [0]) }
        // A further field, and the fields the other way round.
        #expect(throws: IdentityError.self) { try PublicKey(protobufEncoded: vector.publicKey + [0x18, 0x00]) }
        #expect(throws: IdentityError.self) { try PublicKey(protobufEncoded: vector.publicKey.dropFirst(2) + vector.publicKey.prefix(2)) }
    }

    @Test("the text of a key pair never shows the private key", arguments: vectors)
    func secrecy(vector: Vector) throws {
        let pair = try KeyPair(protobufEncoded: vector.privateKey)
        var dumped = ""
        dump(pair, to: &dumped)
        let texts = ["\(pair)", String(reflecting: pair), "\(CryptoIdentity(keyPair: pair))", String(reflecting: CryptoIdentity(keyPair: pair)), dumped]
        // The first bytes of the secret, in hexadecimal and as an array prints them.
        let secret = vector.privateKey.dropFirst(8).prefix(8)
        let hexadecimal = Base16.encode(secret)
        let list = secret.map(String.init).joined(separator: ", ")
        for text in texts {
            #expect(!text.lowercased().contains(hexadecimal))
            #expect(!text.contains(list))
        }
    }

    @Test("damaged keys, ids and signatures never trap; a key that is read has these bytes and no others", arguments: vectors)
    func mutated(vector: Vector) throws {
        var generator = SeededGenerator(seed: 9)
        let key = try PublicKey(protobufEncoded: vector.publicKey)
        for _ in 0..<200 {
            let publicKey = generator.mutated(vector.publicKey)
            do throws(IdentityError) { #expect(try PublicKey(protobufEncoded: publicKey).protobufEncoded == publicKey) } catch {}
            do throws(IdentityError) { _ = try KeyPair(protobufEncoded: generator.mutated(vector.privateKey)) } catch {}
            let text = String(decoding: generator.mutated(Array(vector.peerID.utf8)), as: UTF8.self)
            do throws(IdentityError) { #expect(try PeerID(PeerID(text).description) == PeerID(text)) } catch {}
            let signature = generator.mutated(vector.signature)
            if signature != vector.signature { #expect(!key.isValidSignature(signature, for: Array("libp2p".utf8))) }
        }
    }
}
