import DIGIdentity
import DIGMultiformats
import Foundation
import Testing

/// Keys and signatures of wallets, with eth-account, coincurve and cryptography (`Interop/wallet/wallet.py`).
@Suite("Wallets: eth-account, coincurve, cryptography", .timeLimit(.minutes(5)))
struct WalletTests {
    static let messages = [[], Array("Some data".utf8), Array("\u{19}Ethereum Signed Message:\n5кот 🐈".utf8), [UInt8](repeating: 0xa5, count: 70_000)]

    /// What the other side answers. The keys are made for the test; they go through a file because they are long.
    static func ask(_ request: [String: Any]) throws -> [String: Any] {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("wallet-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: path) }
        try JSONSerialization.data(withJSONObject: request).write(to: path)
        let output = try InteropPeer.output(of: "wallet/wallet.py", arguments: [path.path])
        return try #require(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
    }

    static func text(_ answer: [String: Any], _ name: String) throws -> String { try #require(answer[name] as? String) }

    static func privateKey() throws -> (hex: String, pair: KeyPair) {
        let pair = try KeyPair.generate(.secp256k1)
        // libp2p's form: two bytes of type, two of length, the number.
        return (Base16.encode(pair.protobufEncoded.dropFirst(4)), pair)
    }

    @Test("eth-account has the same address for a private key")
    func address() throws {
        for _ in 0..<5 {
            let (hex, pair) = try Self.privateKey()
            let theirs = try Self.text(try Self.ask(["do": "account", "privateKey": "0x" + hex]), "address")
            #expect(pair.publicKey.ethereumAddress == theirs)
            #expect(EthereumAddress(theirs) == EthereumAddress(pair.publicKey))
        }
    }

    @Test("personal_sign: eth-account makes the same signature, and each finds the other's signer", arguments: messages)
    func ethereum(message: [UInt8]) throws {
        let (hex, pair) = try Self.privateKey()
        let text = Base16.encode(message)
        let theirs = try EthereumSignature(try Self.text(try Self.ask(["do": "ethereum_sign", "privateKey": hex, "message": text]), "signature"))
        let ours = try pair.signEthereumMessage(message)
        #expect(ours == theirs)
        #expect(try theirs.signer(of: message) == pair.publicKey)
        let signer = try Self.text(try Self.ask(["do": "ethereum_recover", "message": text, "signature": Base16.encode(ours.bytes)]), "address")
        #expect(signer == pair.publicKey.ethereumAddress)
    }

    @Test("Bitcoin messages: coincurve makes the same signature, and each finds the other's signer", arguments: messages)
    func bitcoin(message: [UInt8]) throws {
        let (hex, pair) = try Self.privateKey()
        let text = Base16.encode(message)
        let theirs = try BitcoinSignature(try Self.text(try Self.ask(["do": "bitcoin_sign", "privateKey": hex, "message": text]), "signature"))
        let ours = try pair.signBitcoinMessage(message)
        #expect(ours == theirs)
        #expect(try theirs.signer(of: message) == pair.publicKey)
        let key = try Self.text(try Self.ask(["do": "bitcoin_recover", "message": text, "signature": ours.description]), "publicKey")
        #expect(key == Base16.encode(pair.publicKey.rawRepresentation))
    }

    @Test("keystores: each opens what the other wrote", arguments: ["scrypt", "pbkdf2"])
    func keystore(kdf: String) throws {
        let (hex, pair) = try Self.privateKey()
        let derivation: EthereumKeystore.KeyDerivation = kdf == "scrypt" ? .light : .pbkdf2(rounds: 1000)
        let ours = try EthereumKeystore(sealing: pair, password: "пароль", derivation: derivation)
        #expect(try Self.text(try Self.ask(["do": "keystore_open", "keystore": ours.json, "password": "пароль"]), "privateKey") == hex)
        let theirs = try Self.text(
            try Self.ask(["do": "keystore_seal", "privateKey": hex, "password": "пароль", "kdf": kdf, "iterations": 4096]), "keystore")
        #expect(try EthereumKeystore(json: theirs).open(password: "пароль").publicKey == pair.publicKey)
        #expect(throws: IdentityError(.wrongPassword, "")) { try EthereumKeystore(json: theirs).open(password: "другой") }
    }

    @Test(
        "keys that cryptography wrote are read, its signatures are valid here and ours there",
        arguments: [
            ("secp256k1", "pkcs8"), ("secp256k1", "traditional"), ("ed25519", "pkcs8"), ("ed25519", "openssh"), ("rsa", "pkcs8"), ("rsa", "traditional"),
            ("rsa", "openssh"), ("ecdsa", "pkcs8"), ("ecdsa", "traditional"), ("ecdsa", "openssh"),
        ])
    func signatures(name: String, format: String) throws {
        let algorithm = try #require(KeyAlgorithm(rawValue: name))
        let message = Array("both ways".utf8)
        let text = Base16.encode(message)
        let theirs = try Self.ask(["do": "sign", "algorithm": name, "format": format, "message": text])
        let pair = try KeyPair(pem: try Self.text(theirs, "pem"))
        #expect(pair.algorithm == algorithm)
        #expect(try PublicKey(pem: try Self.text(theirs, "publicPEM")) == pair.publicKey)
        #expect(pair.publicKey.isValidSignature(try Base16.decode(try Self.text(theirs, "signature")), for: message))
        let identity = CryptoIdentity(keyPair: pair)
        if algorithm == .rsa { #expect(identity.verify(message, signature: try Self.text(theirs, "pss"))) }

        let ours = [
            "do": "verify", "algorithm": name, "publicKey": Base16.encode(pair.publicKey.rawRepresentation), "message": text,
            "signature": Base16.encode(try pair.sign(message)), "pss": try identity.sign(message),
        ]
        #expect(try Self.ask(ours)["valid"] as? Bool == true)
    }

    @Test("the ring signature, written a second time from its definition in Python, is valid here and ours there", arguments: [1, 2, 5, 16])
    func ring(count: Int) throws {
        let members = try (0..<count).map { _ in try Self.privateKey() }
        let ring = try MemberRing(try members.map { try MemberKey($0.pair.publicKey) })
        let keys = ring.members.map(\.description)
        let message = Array("ring".utf8)
        let signer = members[count / 2]
        let theirs = try Self.text(
            try Self.ask(["do": "ring_sign", "privateKey": signer.hex, "ring": keys, "message": Base16.encode(message)]), "signature")
        #expect(try RingSignature(decoding: try Base16.decode(theirs)).isValid(for: message, ring: ring))
        let ours = try RingSignature.sign(message, ring: ring, with: try MemberKeyPair(signer.pair))
        let request: [String: Any] = ["do": "ring_verify", "ring": keys, "message": Base16.encode(message), "signature": Base16.encode(ours.encoded)]
        #expect(try Self.ask(request)["valid"] as? Bool == true)
    }
}
