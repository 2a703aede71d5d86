import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Foundation
import Testing

@Suite("Ethereum keystore")
struct EthereumKeystoreTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var password: String
        var privateKey: String
        var json: String
    }

    /// ethereum/tests, KeyStoreTests; go-ethereum, accounts/keystore/testdata.
    static let vectors = [
        Vector(
            testDescription: "pbkdf2 of the definition", password: "testpassword",
            privateKey: "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d",
            json: """
                {"crypto": {"cipher": "aes-128-ctr", "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
                "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46", "kdf": "pbkdf2",
                "kdfparams": {"c": 262144, "dklen": 32, "prf": "hmac-sha256", "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
                "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"}, "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3}
                """),
        Vector(
            testDescription: "counter that overflows", password: "bar", privateKey: String(repeating: "02", count: 32),
            json: """
                {"version": 3, "crypto": {"ciphertext": "d69313b6470ac1942f75d72ebf8818a0d484ac78478a132ee081cd954d6bd7a9",
                "cipherparams": {"iv": "ffffffffffffffffffffffffffffffff"}, "kdf": "pbkdf2",
                "kdfparams": {"dklen": 32, "c": 262144, "prf": "hmac-sha256", "salt": "c82ef14476014cbf438081a42709e2ed"},
                "mac": "cf6bfbcc77142a22c4a908784b4a16f1023a1d0e2aff404c20158fa4f1587177", "cipher": "aes-128-ctr", "version": 1},
                "id": "abb67040-8dbe-0dad-fc39-2b082ef0ee5f"}
                """),
        Vector(
            testDescription: "scrypt of the definition, with a cost beyond RFC 7914", password: "testpassword",
            privateKey: "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d",
            json: """
                {"crypto": {"cipher": "aes-128-ctr", "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
                "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c", "kdf": "scrypt",
                "kdfparams": {"dklen": 32, "n": 262144, "r": 1, "p": 8, "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
                "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"}, "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3}
                """),
        Vector(
            testDescription: "key of 31 bytes", password: "foo", privateKey: "00fa7b3db73dc7dfdf8c5fbdb796d741e4488628c41fc4febd9160a866ba0f35",
            json: """
                {"crypto": {"cipher": "aes-128-ctr", "cipherparams": {"iv": "e0c41130a323adc1446fc82f724bca2f"},
                "ciphertext": "9517cd5bdbe69076f9bf5057248c6c050141e970efa36ce53692d5d59a3984", "kdf": "scrypt",
                "kdfparams": {"dklen": 32, "n": 2, "r": 8, "p": 1, "salt": "711f816911c92d649fb4c84b047915679933555030b3552c1212609b38208c63"},
                "mac": "d5e116151c6aa71470e67a7d42c9620c75c4d23229847dcc127794f0732b0db5"}, "id": "fecfc4ce-e956-48fd-953b-30f8b52ed66c", "version": 3}
                """),
        Vector(
            testDescription: "key of 30 bytes", password: "foo", privateKey: "000081c29e8142bb6a81bef5a92bda7a8328a5c85bb2f9542e76f9b0f94fc018",
            json: """
                {"crypto": {"cipher": "aes-128-ctr", "cipherparams": {"iv": "3ca92af36ad7c2cd92454c59cea5ef00"},
                "ciphertext": "108b7d34f3442fc26ab1ab90ca91476ba6bfa8c00975a49ef9051dc675aa", "kdf": "scrypt",
                "kdfparams": {"dklen": 32, "n": 2, "r": 8, "p": 1, "salt": "d0769e608fb86cda848065642a9c6fa046845c928175662b8e356c77f914cd3b"},
                "mac": "75d0e6759f7b3cefa319c3be41680ab6beea7d8328653474bd06706d4cc67420"}, "id": "a37e1559-5955-450d-8075-7b8931b392b2", "version": 3}
                """),
    ]

    @Test("opens what other wallets wrote, with the right password only", arguments: vectors)
    func opens(vector: Vector) throws {
        let keystore = try EthereumKeystore(json: vector.json)
        let pair = try keystore.open(password: vector.password)
        #expect(pair.publicKey == (try KeyPair(secp256k1PrivateKey: vector.privateKey)).publicKey)
        // A second time costs what the first did.
        if !vector.testDescription.hasPrefix("scrypt") {
            #expect(throws: IdentityError(.wrongPassword, "")) { try keystore.open(password: vector.password + " ") }
        }
        // Files of 2015 write it with a capital letter.
        #expect(try EthereumKeystore(json: vector.json.replacingOccurrences(of: "\"crypto\"", with: "\"Crypto\"")) == keystore)
    }

    @Test("a key that was sealed comes out again", arguments: ["", "correct horse battery staple", "пароль 🔑"])
    func seals(password: String) throws {
        let pair = try KeyPair.generate(.secp256k1)
        for derivation in [EthereumKeystore.KeyDerivation.scrypt(cost: 16, blockSize: 8, parallelization: 2), .pbkdf2(rounds: 10)] {
            let keystore = try EthereumKeystore(sealing: pair, password: password, derivation: derivation)
            #expect(keystore.derivation == derivation)
            #expect(keystore.address?.description == pair.publicKey.ethereumAddress)
            #expect(try keystore.open(password: password).publicKey == pair.publicKey)
            let read = try EthereumKeystore(json: keystore.json)
            #expect(read == keystore)
            #expect(try read.open(password: password).publicKey == pair.publicKey)
            #expect(throws: IdentityError(.wrongPassword, "")) { try read.open(password: password + "x") }
            // Another salt and another key each time.
            let again = try EthereumKeystore(sealing: pair, password: password, derivation: derivation)
            #expect(again != keystore)
        }
    }

    @Test("says nothing of the key in the file")
    func secrecy() throws {
        let pair = try KeyPair(secp256k1PrivateKey: String(repeating: "5a", count: 32))
        let keystore = try EthereumKeystore(sealing: pair, password: "p", derivation: .pbkdf2(rounds: 1))
        #expect(!keystore.json.contains("5a5a5a5a"))
        #expect(!String(reflecting: keystore).contains("90, 90, 90, 90"))
    }

    @Test("holds secp256k1 keys only")
    func otherKeys() throws {
        let pair = try KeyPair.generate(.ed25519)
        #expect(throws: IdentityError(.unsupportedKey, "")) { try EthereumKeystore(sealing: pair, password: "", derivation: .pbkdf2(rounds: 1)) }
    }

    @Test("notices that the account stated is that of another key")
    func otherAccount() throws {
        let keystore = try EthereumKeystore(sealing: try KeyPair.generate(.secp256k1), password: "p", derivation: .pbkdf2(rounds: 1))
        let stated = try #require(keystore.address)
        let other = try #require(EthereumAddress(try KeyPair.generate(.secp256k1).publicKey))
        let changed = keystore.json.replacingOccurrences(of: Base16.encode(stated.bytes), with: Base16.encode(other.bytes))
        let altered = try EthereumKeystore(json: changed)
        #expect(throws: IdentityError(.keyMismatch, "")) { try altered.open(password: "p") }
    }

    /// A keystore with one part changed.
    static func json(kdf: String = "scrypt", parameters: String, iv: String = "e0c41130a323adc1446fc82f724bca2f", cipher: String = "aes-128-ctr", version: String = "3", more: String = "")
        -> String
    {
        """
        {"crypto": {"cipher": "\(cipher)", "cipherparams": {"iv": "\(iv)"}, "ciphertext": "9517cd5bdbe69076f9bf5057248c6c050141e970efa36ce53692d5d59a3984",
        "kdf": "\(kdf)", "kdfparams": {\(parameters)}, "mac": "d5e116151c6aa71470e67a7d42c9620c75c4d23229847dcc127794f0732b0db5"}, "version": \(version)\(more)}
        """
    }

    @Test(
        "numbers that would take too much time or memory are refused before they do",
        arguments: [
            "\"n\": 4194304, \"r\": 8, \"p\": 1", "\"n\": 1048576, \"r\": 8, \"p\": 1", "\"n\": 262144, \"r\": 8, \"p\": 16", "\"n\": 2, \"r\": 1024, \"p\": 1024000",
            "\"n\": 2, \"r\": 8000000, \"p\": 1", "\"n\": 0, \"r\": 8, \"p\": 1", "\"n\": 1, \"r\": 8, \"p\": 1", "\"n\": 3, \"r\": 8, \"p\": 1", "\"n\": -2, \"r\": 8, \"p\": 1",
            "\"n\": 2, \"r\": 0, \"p\": 1", "\"n\": 2, \"r\": 8, \"p\": 0", "\"n\": 2, \"r\": -8, \"p\": -1", "\"n\": 9223372036854775807, \"r\": 8, \"p\": 1",
            "\"n\": 4611686018427387904, \"r\": 8, \"p\": 1", "\"n\": 2, \"r\": 9223372036854775807, \"p\": 9223372036854775807", "\"n\": 1e99, \"r\": 8, \"p\": 1",
        ])
    func scryptLimits(parameters: String) {
        #expect(throws: IdentityError(.invalidKeystore, "")) {
            try EthereumKeystore(json: Self.json(parameters: "\"dklen\": 32, \"salt\": \"00\", " + parameters))
        }
    }

    @Test("rounds of PBKDF2 beyond the limits are refused", arguments: ["0", "-1", "10000001", "4294967297", "9223372036854775807", "1.5", "\"1\""])
    func pbkdf2Limits(rounds: String) {
        #expect(throws: IdentityError(.invalidKeystore, "")) {
            try EthereumKeystore(json: Self.json(kdf: "pbkdf2", parameters: "\"dklen\": 32, \"salt\": \"00\", \"prf\": \"hmac-sha256\", \"c\": \(rounds)"))
        }
        #expect(throws: IdentityError(.invalidKeystore, "")) {
            try EthereumKeystore(sealing: try KeyPair.generate(.secp256k1), password: "", derivation: .pbkdf2(rounds: 10_000_001))
        }
    }

    @Test("parts of other kinds or lengths are refused by what is wrong with them")
    func parts() {
        let good = "\"dklen\": 32, \"n\": 2, \"r\": 8, \"p\": 1, \"salt\": \"ab0c\""
        let invalid = [
            Self.json(parameters: good, iv: "00"), Self.json(parameters: good, iv: "xx"), Self.json(parameters: good.replacingOccurrences(of: "ab0c", with: "")),
            Self.json(parameters: good.replacingOccurrences(of: "ab0c", with: String(repeating: "00", count: 257))),
            Self.json(parameters: good.replacingOccurrences(of: "32", with: "16")), Self.json(parameters: good.replacingOccurrences(of: "32", with: "65")),
            Self.json(parameters: good, more: ", \"address\": \"0x12\""), Self.json(parameters: good, more: ", \"id\": \"\(String(repeating: "x", count: 129))\""),
            Self.json(parameters: good, version: "\"3\""), "", "{}", "[]", "null", "{\"version\": 3}", String(repeating: "[", count: 16_000), String(repeating: " ", count: 20_000),
        ]
        for text in invalid { #expect(throws: IdentityError(.invalidKeystore, ""), "\(text.prefix(300))") { try EthereumKeystore(json: text) } }
        let unsupported = [
            Self.json(parameters: good, cipher: "aes-128-cbc"), Self.json(parameters: good, version: "1"), Self.json(kdf: "argon2", parameters: good),
            Self.json(kdf: "pbkdf2", parameters: "\"dklen\": 32, \"salt\": \"00\", \"prf\": \"hmac-sha512\", \"c\": 1"),
            Self.json(parameters: "\"dklen\": 32, \"salt\": \"00\", \"n\": 2"),
        ]
        for text in unsupported { #expect(throws: IdentityError(.unsupportedKey, ""), "\(text.prefix(300))") { try EthereumKeystore(json: text) } }
    }

    @Test("no change to a file opens to another key, and no prefix of one is read")
    func damaged() throws {
        let pair = try KeyPair.generate(.secp256k1)
        let text = Array(try EthereumKeystore(sealing: pair, password: "p", derivation: .pbkdf2(rounds: 1)).json.utf8)
        for count in 0..<text.count { #expect(throws: IdentityError(.invalidKeystore, "")) { try EthereumKeystore(json: String(decoding: text.prefix(count), as: UTF8.self)) } }
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<1000 {
            do throws(IdentityError) {
                let keystore = try EthereumKeystore(json: String(decoding: generator.mutated(text), as: UTF8.self))
                // A digit more makes the file slow, not wrong.
                guard case .pbkdf2(1...1000) = keystore.derivation else { continue }
                #expect(try keystore.open(password: "p").publicKey == pair.publicKey)
            } catch {
                #expect([.invalidKeystore, .unsupportedKey, .wrongPassword, .keyMismatch, .invalidPrivateKey].contains(error.code))
            }
        }
    }
}
