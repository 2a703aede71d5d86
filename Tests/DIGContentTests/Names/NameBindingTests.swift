import DIGIdentity
import Testing

@testable import DIGContent

@Suite("name bindings")
struct NameBindingTests {
    static let now: UInt64 = 1_800_000_000_000
    static let hash = ContentHash(digest: SHA256Digest(hashing: [1, 2, 3]))
    static let sha256 = BindingKey.sha256(SHA256Digest(hashing: [4]))

    let keyPair: KeyPair

    init() throws { self.keyPair = try KeyPair.generate(.ed25519) }

    @Test("say who bound what", arguments: [sha256, .name("report 2026"), .name("é"), .name(String(repeating: "x", count: 1024))])
    func roundTrip(_ key: BindingKey) throws {
        let envelope = try NameBinding.sign(key, as: Self.hash, timestampMilliseconds: Self.now, with: self.keyPair)
        for binding in [
            try NameBinding(verifying: envelope, expecting: key, nowMilliseconds: Self.now),
            try NameBinding(decoding: envelope.encoded, nowMilliseconds: Self.now),
        ] {
            #expect(binding.key == key)
            #expect(binding.contentHash == Self.hash)
            #expect(binding.signer == self.keyPair.publicKey)
            #expect(binding.timestampMilliseconds == Self.now)
        }
    }

    @Test("with any bit changed are refused")
    func tampered() throws {
        let bytes = try NameBinding.sign(.name("a"), as: Self.hash, timestampMilliseconds: Self.now, with: self.keyPair).encoded
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x01
            #expect(throws: NameBindingError.self, "byte \(index)") { try NameBinding(decoding: changed, nowMilliseconds: Self.now) }
            #expect(throws: NameBindingError.self) { try NameBinding(decoding: Array(bytes[..<index]), nowMilliseconds: Self.now) }
        }
    }

    @Test("signed for another purpose, or of another type, are refused")
    func otherPurpose() throws {
        let binding = try NameBinding.sign(.name("a"), as: Self.hash, timestampMilliseconds: Self.now, with: self.keyPair)
        let otherDomain = try SignedEnvelope.seal(
            domain: "something else", payloadType: NameBinding.payloadType, payload: binding.payload, with: self.keyPair)
        #expect(throws: NameBindingError.invalidSignature) { try NameBinding(verifying: otherDomain, nowMilliseconds: Self.now) }
        let otherType = try SignedEnvelope.seal(domain: NameBinding.domain, payloadType: [1], payload: binding.payload, with: self.keyPair)
        #expect(throws: NameBindingError.wrongPayloadType) { try NameBinding(verifying: otherType, nowMilliseconds: Self.now) }
    }

    @Test(
        "with a field missing or of the wrong length are refused",
        arguments: [[], [0x0a, 1, 0], [0xff], [0x0a, 32] + [UInt8](repeating: 1, count: 32), [0x0a, 32] + [UInt8](repeating: 1, count: 32) + [0x12, 1, 0]])
    func malformed(_ payload: [UInt8]) throws {
        let envelope = try SignedEnvelope.seal(
            domain: NameBinding.domain, payloadType: NameBinding.payloadType, payload: payload, with: self.keyPair)
        #expect(throws: NameBindingError.malformedPayload) { try NameBinding(verifying: envelope, nowMilliseconds: Self.now) }
    }

    @Test("of a name nobody may have are neither made nor taken", arguments: ["", String(repeating: "x", count: 1025), "a\u{1b}[2J", "a\nb"])
    func names(_ name: String) throws {
        #expect(throws: NameBindingError.nameOutOfRange) {
            try NameBinding.sign(.name(name), as: Self.hash, timestampMilliseconds: Self.now, with: self.keyPair)
        }
        let payload = [0x0a, 32] + [UInt8](repeating: 1, count: 32) + [0x1a, UInt8(name.utf8.count & 0x7f) | (name.utf8.count > 127 ? 0x80 : 0)]
            + (name.utf8.count > 127 ? [UInt8(name.utf8.count >> 7)] : []) + Array(name.utf8)
        let envelope = try SignedEnvelope.seal(
            domain: NameBinding.domain, payloadType: NameBinding.payloadType, payload: payload, with: self.keyPair)
        #expect(throws: NameBindingError.nameOutOfRange) { try NameBinding(verifying: envelope, nowMilliseconds: Self.now) }
    }

    @Test("from the future, or older than wanted, are refused")
    func time() throws {
        func binding(at timestamp: UInt64, maximumAge: UInt64? = nil) throws -> NameBinding {
            let envelope = try NameBinding.sign(.name("a"), as: Self.hash, timestampMilliseconds: timestamp, with: self.keyPair)
            return try NameBinding(verifying: envelope, nowMilliseconds: Self.now, maximumAgeMilliseconds: maximumAge)
        }
        let skew = NameBinding.maximumClockSkewMilliseconds
        #expect(throws: Never.self) { try binding(at: Self.now + skew) }
        #expect(throws: NameBindingError.fromTheFuture) { try binding(at: Self.now + skew + 1) }
        #expect(throws: NameBindingError.fromTheFuture) { try binding(at: .max) }
        #expect(throws: Never.self) { try binding(at: 0) }
        #expect(throws: Never.self) { try binding(at: Self.now - 1000, maximumAge: 1000) }
        #expect(throws: NameBindingError.expired) { try binding(at: Self.now - 1001, maximumAge: 1000) }
    }

    @Test("of another name than asked for are refused")
    func otherKey() throws {
        let envelope = try NameBinding.sign(.name("a"), as: Self.hash, timestampMilliseconds: Self.now, with: self.keyPair)
        #expect(throws: NameBindingError.otherKey) {
            try NameBinding(verifying: envelope, expecting: .name("b"), nowMilliseconds: Self.now)
        }
        #expect(throws: NameBindingError.otherKey) {
            try NameBinding(verifying: envelope, expecting: Self.sha256, nowMilliseconds: Self.now)
        }
    }
}
