import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Foundation
import Testing

/// Files in `Fixtures/keys` were written by OpenSSL 3.0 and OpenSSH 9.2.
@Suite("Key import")
struct KeyImportTests {
    static func key(_ name: String) throws -> String { try Fixture.text("keys/\(name)") }

    @Test(
        "reads what OpenSSL and OpenSSH wrote, and finds the same public key in both",
        arguments: [
            ("secp256k1-sec1.pem", "secp256k1-public.pem", KeyAlgorithm.secp256k1), ("secp256k1-pkcs8.pem", "secp256k1-public-compressed.pem", .secp256k1),
            ("p256-sec1.pem", "p256-public.pem", .ecdsa), ("p256-pkcs8.pem", "p256-public.pem", .ecdsa), ("ed25519-pkcs8.pem", "ed25519-public.pem", .ed25519),
            ("rsa-pkcs1.pem", "rsa-public.pem", .rsa), ("rsa-pkcs8.pem", "rsa-public-pkcs1.pem", .rsa),
            ("openssh-ed25519", "openssh-ed25519.pub", .ed25519), ("openssh-rsa", "openssh-rsa.pub", .rsa), ("openssh-p256", "openssh-p256.pub", .ecdsa),
        ])
    func reads(privateKey: String, publicKey: String, algorithm: KeyAlgorithm) throws {
        let pair = try KeyPair(pem: try Self.key(privateKey))
        #expect(pair.algorithm == algorithm)
        let text = try Self.key(publicKey)
        let stated = publicKey.hasSuffix(".pub") ? try PublicKey(openSSH: text) : try PublicKey(pem: text)
        #expect(stated == pair.publicKey)
        let message = Array("imported".utf8)
        #expect(stated.isValidSignature(try pair.sign(message), for: message))
        // A key that was imported is kept as any other.
        #expect(try KeyPair(protobufEncoded: pair.protobufEncoded).publicKey == stated)
        #expect(try CryptoIdentity(privateKey: try Self.key(privateKey), publicKey: publicKey.hasSuffix(".pub") ? "" : text, algorithm: algorithm).publicKey == stated)
    }

    @Test("the secp256k1 key in PEM is the wallet's key in hexadecimal")
    func wallet() throws {
        let pair = try KeyPair(secp256k1PrivateKey: "0x08145967210b422c925fea1e875e28ecde45f6015d47dcf09c1f6c46cb98dab6")
        #expect(try KeyPair(pem: try Self.key("secp256k1-sec1.pem")).publicKey == pair.publicKey)
    }

    @Test("an encrypted key is said to be one, with the command that helps", arguments: ["secp256k1-pkcs8-encrypted.pem", "secp256k1-sec1-encrypted.pem", "openssh-encrypted"])
    func encrypted(name: String) throws {
        let text = try Self.key(name)
        do throws(IdentityError) {
            _ = try KeyPair(pem: text)
            Issue.record("accepted")
        } catch {
            #expect(error.code == .encryptedKey)
            #expect(error.message.contains(name.hasPrefix("openssh") ? "ssh-keygen -p" : "openssl pkey"))
        }
    }

    @Test("keys of other kinds are said to be that")
    func unsupported() throws {
        #expect(throws: IdentityError(.unsupportedKey, "")) { try KeyPair(pem: try Self.key("openssh-p384")) }
        #expect(throws: IdentityError(.unsupportedKey, "")) { try PublicKey(openSSH: try Self.key("openssh-p384.pub")) }
        #expect(throws: IdentityError(.unsupportedKey, "")) { try KeyPair(pem: "-----BEGIN PGP PRIVATE KEY BLOCK-----\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----") }
        // X25519, RFC 8410 §7.
        #expect(throws: IdentityError(.unsupportedKey, "")) {
            try KeyPair(pem: "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n-----END PRIVATE KEY-----")
        }
    }

    /// RFC 8410 §10.3: the example without and with the public key.
    @Test("reads the examples of RFC 8410")
    func rfc8410() throws {
        let seed = bytes("d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842")
        let publicKey = try KeyPair(ed25519Seed: seed).publicKey
        #expect(Base16.encode(publicKey.rawRepresentation) == "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")
        #expect(try KeyPair(pem: "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----").publicKey == publicKey)
        #expect(
            try KeyPair(
                pem: """
                    -----BEGIN PRIVATE KEY-----
                    MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
                    oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
                    Z9w7lshQhqowtrbLDFw4rXAxZuE=
                    -----END PRIVATE KEY-----
                    """
            ).publicKey == publicKey)
        #expect(try PublicKey(pem: "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----") == publicKey)
    }

    @Test("line ends, indentation and text around do not matter")
    func layout() throws {
        let text = try Self.key("secp256k1-sec1.pem")
        let publicKey = try KeyPair(pem: text).publicKey
        #expect(try KeyPair(pem: text.replacingOccurrences(of: "\n", with: "\r\n")).publicKey == publicKey)
        #expect(try KeyPair(pem: "my key:\n" + text.replacingOccurrences(of: "\n", with: "  \n\t") + "\nthat was it").publicKey == publicKey)
    }

    @Test("a private key with another one's public key is refused")
    func mismatch() throws {
        // SEC 1 with the private key 1 and the public key of 2.
        let der = bytes(
            """
            30740201010420 0000000000000000000000000000000000000000000000000000000000000001 a00706052b8104000a a14403420004
            c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5 1ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a
            """)
        let text = "-----BEGIN EC PRIVATE KEY-----\n\(Data(der).base64EncodedString())\n-----END EC PRIVATE KEY-----"
        #expect(throws: IdentityError(.keyMismatch, "")) { try KeyPair(pem: text) }
    }

    @Test("a key for another algorithm than was asked for is refused")
    func otherAlgorithm() throws {
        let text = try Self.key("ed25519-pkcs8.pem")
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try CryptoIdentity(privateKey: text, algorithm: .secp256k1) }
        #expect(throws: IdentityError(.invalidPublicKey, "")) { try CryptoIdentity(publicKey: try Self.key("ed25519-public.pem"), algorithm: .rsa) }
    }

    @Test("what is no key, or two, is refused")
    func malformed() throws {
        let text = try Self.key("ed25519-pkcs8.pem")
        let invalid = [
            "", "key", text + text, text.replacingOccurrences(of: "END", with: "BEGIN"), text.replacingOccurrences(of: "-----END PRIVATE KEY-----", with: ""),
            text.replacingOccurrences(of: "END PRIVATE", with: "END PUBLIC"), "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "-----BEGIN -----\n-----END -----",
            "-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----", try Self.key("ed25519-public.pem"), String(repeating: "A", count: 100_000),
        ]
        for text in invalid { #expect(throws: IdentityError(.invalidPrivateKey, ""), "\(text.prefix(80))") { try KeyPair(pem: text) } }
        for text in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 *", "ssh-rsa " + (try Self.key("openssh-ed25519.pub").split(separator: " ")[1])] {
            #expect(throws: IdentityError(.invalidPublicKey, ""), "\(text)") { try PublicKey(openSSH: text) }
        }
        #expect(throws: IdentityError(.invalidPublicKey, "")) { try PublicKey(pem: text) }
    }

    @Test(
        "no prefix of a key is one, and no damaged key is one of another kind of error or does any harm",
        arguments: ["secp256k1-sec1.pem", "secp256k1-pkcs8.pem", "p256-pkcs8.pem", "ed25519-pkcs8.pem", "rsa-pkcs8.pem", "openssh-ed25519", "openssh-rsa", "openssh-p256"])
    func damaged(name: String) throws {
        let lines = try Self.key(name).split(separator: "\n").map(String.init)
        // With parameters before it the key is the last block.
        let first = try #require(lines.lastIndex { $0.hasPrefix("-----BEGIN") })
        let content = Array(try #require(Data(base64Encoded: lines[(first + 1)..<(lines.count - 1)].joined())))
        func text(_ bytes: some Collection<UInt8>) -> String { "\(lines[first])\n\(Data(bytes).base64EncodedString())\n\(lines[lines.count - 1])\n" }
        let publicKey = try KeyPair(pem: text(content)).publicKey
        for count in 0..<content.count {
            #expect(throws: IdentityError.self) { try KeyPair(pem: text(content.prefix(count))) }
        }
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<400 {
            do throws(IdentityError) {
                let pair = try KeyPair(pem: text(generator.mutated(content)))
                // A change of the comment, of attributes, or of the number itself where no public key is stored beside it.
                #expect(pair.publicKey == publicKey || name.contains("ed25519-pkcs8"))
            } catch {
                #expect([.invalidPrivateKey, .invalidPublicKey, .unsupportedKey, .encryptedKey, .keyMismatch].contains(error.code))
            }
        }
    }
}
