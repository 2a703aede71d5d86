import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Testing

@Suite("Bitcoin signature")
struct BitcoinSignatureTests {
    /// The example of bitcoinjs-message, which many wallets have among their tests. The private key is the SHA-256 of nothing.
    static let key = "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1"
    static let publicKey = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"
    static let message = Array("This is an example of a signed message.".utf8)
    static let signature = "H9L5yLFjti0QTHhPyFrZCT1V/MMnBtXKmoiKDZ78NDBjERki6ZTQZdSMCtkgoNmp17By9ItJr8o7ChX0XxY91nk="

    @Test("is the one that other wallets make")
    func signs() throws {
        let pair = try KeyPair(walletImportFormat: Self.key)
        #expect(Base16.encode(pair.publicKey.rawRepresentation) == Self.publicKey)
        let signature = try pair.signBitcoinMessage(Self.message)
        #expect(signature.description == Self.signature)
        #expect(signature.isCompressed)
        #expect(try !pair.signBitcoinMessage(Self.message, isCompressed: false).isCompressed)
    }

    @Test("gives away its maker, whatever kind of address the header is for")
    func recovers() throws {
        let key = try PublicKey(secp256k1: bytes(Self.publicKey))
        var raw = try BitcoinSignature(Self.signature).bytes
        for header in [raw[0] - 4, raw[0], raw[0] + 4, raw[0] + 8] {
            raw[0] = header
            let signature = try BitcoinSignature(bytes: raw)
            #expect(try signature.signer(of: Self.message) == key)
            #expect(signature.isValid(for: Self.message, by: key))
            #expect(!signature.isValid(for: Self.message.dropLast(), by: key))
            #expect(!signature.isValid(for: Self.message, by: try KeyPair.generate(.secp256k1).publicKey))
        }
    }

    @Test("covers messages whose length takes one, three and five bytes", arguments: [0, 1, 252, 253, 65_535, 65_536, 100_000])
    func lengths(count: Int) throws {
        let pair = try KeyPair.generate(.secp256k1)
        let message = [UInt8](repeating: 7, count: count)
        #expect(try pair.signBitcoinMessage(message).isValid(for: message, by: pair.publicKey))
        #expect(try !pair.signBitcoinMessage(message).isValid(for: message + [7], by: pair.publicKey))
    }

    @Test("of another length or with another header is refused; damaged ones are of nobody")
    func malformed() throws {
        let good = try BitcoinSignature(Self.signature).bytes
        for count in 0..<65 { #expect(throws: IdentityError(.invalidSignature, "")) { try BitcoinSignature(bytes: good.prefix(count)) } }
        #expect(throws: IdentityError(.invalidSignature, "")) { try BitcoinSignature(bytes: good + [0]) }
        for header in UInt8.min...UInt8.max where !(27...42).contains(header) {
            #expect(throws: IdentityError(.invalidSignature, "")) { try BitcoinSignature(bytes: [header] + good.dropFirst()) }
        }
        for text in ["", "====", String(Self.signature.dropLast()), Self.signature + "A"] {
            #expect(throws: IdentityError(.invalidSignature, "")) { try BitcoinSignature(text) }
        }
        let key = try PublicKey(secp256k1: bytes(Self.publicKey))
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<500 {
            do throws(IdentityError) {
                let signature = try BitcoinSignature(bytes: generator.mutated(good))
                guard signature.bytes.dropFirst() != good.dropFirst() else { continue }
                #expect(!signature.isValid(for: Self.message, by: key))
            } catch {
                #expect(error.code == .invalidSignature)
            }
        }
    }

    @Test("a private key in wallet import format is read in its three forms, and a mistyped digit is noticed")
    func importFormat() throws {
        // Private key 1: compressed, uncompressed, and for the test network; as Bitcoin Core prints them.
        let one = try KeyPair(secp256k1PrivateKey: String(repeating: "0", count: 63) + "1").publicKey
        for text in [
            "KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn", "5HpHagT65TZzG1PH3CSu63k8DbpvD8s5ip4nEB3kEsreAnchuDf",
            "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA",
        ] {
            #expect(try KeyPair(walletImportFormat: text).publicKey == one)
            for index in text.indices {
                let digit = text[index] == "2" ? "3" : "2"
                let mistyped = text.replacing(text[index...index], with: digit, subrange: index..<text.endIndex, maxReplacements: 1)
                #expect(throws: IdentityError(.invalidPrivateKey, "")) { try KeyPair(walletImportFormat: mistyped) }
            }
        }
        for text in ["", "1", Self.publicKey, Self.key + "1", String(repeating: "z", count: 52)] {
            #expect(throws: IdentityError(.invalidPrivateKey, "")) { try KeyPair(walletImportFormat: text) }
        }
    }
}
