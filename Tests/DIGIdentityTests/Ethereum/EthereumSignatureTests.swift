import DIGIdentity
import DIGTestSupport
import Testing

@Suite("Ethereum signature")
struct EthereumSignatureTests {
    /// The example of web3's documentation of `eth.accounts.sign`.
    static let privateKey = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
    static let address = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
    static let message = Array("Some data".utf8)
    static let signature =
        "0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c"

    @Test("is the one that web3 makes")
    func signs() throws {
        let pair = try KeyPair(secp256k1PrivateKey: Self.privateKey)
        #expect(try pair.signEthereumMessage(Self.message).description == Self.signature)
    }

    @Test("gives away its maker, and is of one message only")
    func recovers() throws {
        let signature = try EthereumSignature(Self.signature)
        let address = try #require(EthereumAddress(Self.address))
        let key = try signature.signer(of: Self.message)
        #expect(key.ethereumAddress == Self.address)
        #expect(signature.isValid(for: Self.message, by: address))
        #expect(signature.isValid(for: Self.message, by: key))
        #expect(!signature.isValid(for: Self.message + [0], by: address))
        #expect(!signature.isValid(for: [], by: key))
        #expect(!signature.isValid(for: Self.message, by: try KeyPair.generate(.secp256k1).publicKey))
        #expect(!signature.isValid(for: Self.message, by: try KeyPair.generate().publicKey))
    }

    @Test("is read with 0 or 1 as last byte too, and without 0x")
    func forms() throws {
        let signature = try EthereumSignature(Self.signature)
        var raw = signature.bytes
        raw[64] = 1
        #expect(try EthereumSignature(bytes: raw) == signature)
        #expect(try EthereumSignature(String(Self.signature.dropFirst(2))) == signature)
        #expect(try EthereumSignature(Self.signature.uppercased()) == signature)
    }

    @Test("of another length, with another last byte or numbers out of range is refused")
    func malformed() throws {
        let good = try EthereumSignature(Self.signature).bytes
        for count in 0..<65 { #expect(throws: IdentityError(.invalidSignature, "")) { try EthereumSignature(bytes: good.prefix(count)) } }
        #expect(throws: IdentityError(.invalidSignature, "")) { try EthereumSignature(bytes: good + [0]) }
        for v in UInt8.min...UInt8.max where ![0, 1, 27, 28].contains(v) {
            #expect(throws: IdentityError(.invalidSignature, "")) { try EthereumSignature(bytes: good.dropLast() + [v]) }
        }
        // s = n − s: the twin with high s.
        let high = bytes("9ff818b327d1fc847ffe79bdd03d25e83e3a5df66962ceb160751b8bd754a118")
        #expect(throws: IdentityError(.invalidSignature, "")) { try EthereumSignature(bytes: good[..<32] + high + [27]) }
        #expect(throws: IdentityError(.invalidSignature, "")) { try EthereumSignature(bytes: [UInt8](repeating: 0xff, count: 64) + [27]) }
        for text in ["", "0x", "xyz", Self.signature + "00"] { #expect(throws: IdentityError(.invalidSignature, "")) { try EthereumSignature(text) } }
    }

    @Test("whose numbers belong to no key names nobody")
    func noKey() throws {
        #expect(throws: IdentityError(.invalidSignature, "")) {
            try EthereumSignature(bytes: [UInt8](repeating: 0, count: 64) + [27]).signer(of: Self.message)
        }
        var generator = SeededGenerator(seed: 1)
        let good = try EthereumSignature(Self.signature).bytes
        for _ in 0..<500 {
            do throws(IdentityError) {
                let signature = try EthereumSignature(bytes: generator.mutated(good))
                guard signature.bytes != good else { continue }
                #expect(try signature.signer(of: Self.message).ethereumAddress != Self.address)
            } catch {
                #expect(error.code == .invalidSignature)
            }
        }
    }

    @Test("needs a secp256k1 key", arguments: [KeyAlgorithm.ed25519, .ecdsa])
    func otherKeys(algorithm: KeyAlgorithm) throws {
        let pair = try KeyPair.generate(algorithm)
        #expect(throws: IdentityError(.unsupportedKey, "")) { try pair.signEthereumMessage(Self.message) }
        #expect(throws: IdentityError(.unsupportedKey, "")) { try pair.signBitcoinMessage(Self.message) }
    }
}
