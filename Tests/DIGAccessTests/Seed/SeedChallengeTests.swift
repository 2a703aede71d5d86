import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGAccess

@Suite("Seed's challenge")
struct SeedChallengeTests {
    static let now: UInt64 = 1_635_789_123_456
    let challenge = SeedChallenge(challenge: "random-string", timestamp: now, hostId: "host-id")

    static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("the signed bytes are JSON.stringify's, with the time stamp of the answer")
    func bytes() {
        #expect(Self.text(self.challenge.json) == #"{"challenge":"random-string","timestamp":1635789123456,"hostId":"host-id"}"#)
        #expect(
            Self.text(self.challenge.signedBytes(answeredMilliseconds: 1_635_789_123_789, algorithm: .secp256k1))
                == #"{"challenge":"random-string","timestamp":1635789123789,"hostId":"host-id"}"#)
        #expect(
            Self.text(self.challenge.signedBytes(answeredMilliseconds: 1, algorithm: .ed25519))
                == #"{"challenge":"random-string","timestamp":1,"hostId":"host-id","algorithm":"ed25519"}"#)
        let strange = SeedChallenge(challenge: "a\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}é\u{2028}😀", timestamp: 0, hostId: "")
        #expect(Self.text(strange.json) == "{\"challenge\":\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001fé\u{2028}😀\",\"timestamp\":0,\"hostId\":\"\"}")
    }

    @Test("messages come back from JSON, with fields in any order and more of them")
    func json() throws {
        #expect(try SeedChallenge(json: self.challenge.json) == self.challenge)
        #expect(try SeedChallenge(json: Array(#" {"hostId":"host-id","x":[1],"timestamp":1635789123456,"challenge":"random-string"} "#.utf8)) == self.challenge)
        let response = SeedResponse(peerId: "p\"", publicKey: "02ab", signature: "ff", timestamp: 7, algorithm: "rsa")
        #expect(try SeedResponse(json: response.json) == response)
        #expect(
            Self.text(SeedResponse(peerId: "client-id", publicKey: "k", signature: "s", timestamp: 1_635_789_123_789).json)
                == #"{"peerId":"client-id","publicKey":"k","signature":"s","timestamp":1635789123789}"#)
    }

    @Test("every strict prefix, and fields that are missing or of another type, are malformed")
    func malformed() throws {
        for count in 0..<self.challenge.json.count {
            #expect(throws: AccessError.malformed) { try SeedChallenge(json: Array(self.challenge.json.prefix(count))) }
        }
        let bad = [
            "", "null", "[]", "{}", #"{"challenge":1,"timestamp":1,"hostId":"h"}"#, #"{"challenge":"c","timestamp":-1,"hostId":"h"}"#,
            #"{"challenge":"c","timestamp":"1","hostId":"h"}"#, #"{"challenge":"c","timestamp":1.5,"hostId":"h"}"#, #"{"challenge":"c","timestamp":1e30,"hostId":"h"}"#,
        ]
        for text in bad { #expect(throws: AccessError.malformed, "\(text)") { try SeedChallenge(json: Array(text.utf8)) } }
        #expect(throws: AccessError.malformed) { try SeedChallenge(json: [UInt8](repeating: 0x20, count: 9000)) }
        #expect(throws: AccessError.malformed) { try SeedResponse(json: self.challenge.json) }
    }

    @Test("an answer is that of its key", arguments: [KeyAlgorithm.secp256k1, .ed25519, .rsa])
    func verifies(_ algorithm: KeyAlgorithm) throws {
        let key = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        let response = try self.challenge.answer(with: key, nowMilliseconds: Self.now + 9)
        #expect(response.algorithm == (algorithm == .secp256k1 ? nil : algorithm.rawValue))
        #expect(try self.challenge.verify(SeedResponse(json: response.json), nowMilliseconds: Self.now + 10) == key.publicKey)
        // In the name of the key's node id, too.
        var named = response
        named.peerId = "\(key.nodeID)"
        #expect(try self.challenge.verify(named, nowMilliseconds: Self.now + 10) == key.publicKey)
        named.peerId = "somebody"
        #expect(throws: AccessError.keyMismatch) { try self.challenge.verify(named, nowMilliseconds: Self.now + 10) }
    }

    @Test("other forms of signature are understood: Ed25519 over the text, secp256k1 in DER")
    func otherForms() throws {
        for algorithm in [KeyAlgorithm.ed25519, .secp256k1] {
            let key = try KeyPair.generate(algorithm)
            var response = try self.challenge.answer(with: key, nowMilliseconds: Self.now)
            response.signature = Base16.encode(try key.sign(self.challenge.signedBytes(answeredMilliseconds: Self.now, algorithm: algorithm)))
            #expect(try self.challenge.verify(response, nowMilliseconds: Self.now) == key.publicKey)
            response.signature = "0x" + response.signature
            #expect(try self.challenge.verify(response, nowMilliseconds: Self.now) == key.publicKey)
        }
    }

    @Test("P-256 has no name in this form")
    func unnamed() throws {
        let key = try KeyPair.generate(.ecdsa)
        #expect(throws: AccessError.unavailable) { try self.challenge.answer(with: key, nowMilliseconds: Self.now) }
    }

    @Test("60 seconds for the challenge, 120 seconds of clock for the answer", arguments: [
        (59_999, 0, nil), (60_000, 0, AccessError.challengeExpired), (-1, 0, .challengeExpired), (10, 120_000, nil), (10, 120_001, .clockSkew), (10, -120_000, nil),
        (10, -120_001, .clockSkew),
    ] as [(Int64, Int64, AccessError?)])
    func times(_ row: (age: Int64, skew: Int64, error: AccessError?)) throws {
        let key = try KeyPair.generate(.secp256k1)
        let now = UInt64(Int64(Self.now) + row.age)
        let response = try self.challenge.answer(with: key, nowMilliseconds: UInt64(Int64(now) + row.skew))
        do throws(AccessError) {
            _ = try self.challenge.verify(response, nowMilliseconds: now)
            #expect(row.error == nil)
        } catch {
            #expect(error == row.error)
        }
    }

    @Test("anything changed is refused")
    func changed() throws {
        let key = try KeyPair.generate(.secp256k1)
        let response = try self.challenge.answer(with: key, nowMilliseconds: Self.now)
        func expect(_ error: AccessError, _ change: (inout SeedResponse) throws -> Void) throws {
            var changed = response
            try change(&changed)
            #expect(throws: error) { try self.challenge.verify(changed, nowMilliseconds: Self.now) }
        }
        try expect(.badSignature) { $0.timestamp += 1 }
        try expect(.badSignature) { $0.signature = String($0.signature.dropLast(2)) }
        try expect(.badSignature) { $0.signature = "" }
        try expect(.badSignature) { $0.signature = "zz" }
        try expect(.malformed) { $0.publicKey = "02" }
        try expect(.malformed) { $0.algorithm = "ecdsa" }
        try expect(.malformed) { $0.algorithm = "none" }
        try expect(.malformed) { $0.algorithm = "ed25519" }
        try expect(.malformed) { $0.timestamp = .max }
        try expect(.keyMismatch) { $0.publicKey = Base16.encode(try KeyPair.generate(.secp256k1).publicKey.rawRepresentation) }
        let other = SeedChallenge(challenge: "another", timestamp: Self.now, hostId: "host-id")
        #expect(throws: AccessError.badSignature) { try other.verify(response, nowMilliseconds: Self.now) }
    }
}
