import DIGIdentity
import DIGMultiformats
import Testing

/// Project Wycheproof: signatures that implementations have got wrong.
@Suite("Wycheproof")
struct WycheproofTests {
    struct Vector: Sendable {
        var number: String
        var result: String
        var key: [UInt8]
        var message: [UInt8]
        var signature: [UInt8]
    }

    static func vectors(_ scheme: String) throws -> [Vector] {
        var vectors: [Vector] = []
        var (current, key) = ("", [UInt8]())
        for line in try Fixture.text("wycheproof.txt").split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ").map(String.init)
            switch words[0] {
            case "scheme": current = words[1]
            case "key": key = current == scheme ? bytes(words[1]) : []
            default:
                guard current == scheme else { continue }
                vectors.append(Vector(number: words[0], result: words[1], key: key, message: bytes(words[2]), signature: bytes(words[3])))
            }
        }
        return vectors
    }

    static func check(_ scheme: String, count: Int, isValid: (Vector) throws -> Bool) throws {
        let vectors = try Self.vectors(scheme)
        #expect(vectors.count == count)
        for vector in vectors {
            let isValid = try isValid(vector)
            // What may be refused is: the one such signature has no NULL behind the name of the hash.
            #expect(isValid == (vector.result == "valid"), "\(scheme) \(vector.number)")
        }
    }

    @Test("ECDSA on secp256k1 with SHA-256")
    func secp256k1() throws {
        try Self.check("secp256k1", count: 476) { try PublicKey(secp256k1: $0.key).isValidSignature($0.signature, for: $0.message) }
    }

    @Test("Ed25519")
    func ed25519() throws {
        try Self.check("ed25519", count: 151) { try PublicKey(.ed25519, rawRepresentation: $0.key).isValidSignature($0.signature, for: $0.message) }
    }

    @Test("RSA PKCS#1 v1.5 of 2,048 bits with SHA-256")
    func rsa() throws {
        try Self.check("rsa-pkcs1", count: 259) { try PublicKey(.rsa, rawRepresentation: $0.key).isValidSignature($0.signature, for: $0.message) }
    }

    @Test("RSA PSS of 2,048 bits with SHA-256 and 32 bytes of salt")
    func pss() throws {
        try Self.check("rsa-pss", count: 108) { vector in
            let identity = try CryptoIdentity(publicKey: Base16.encode(vector.key), algorithm: .rsa)
            return identity.verify(vector.message, signature: Base16.encode(vector.signature))
        }
    }
}
