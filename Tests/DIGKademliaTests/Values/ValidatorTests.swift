import DIGIdentity
import Testing

@testable import DIGKademlia

@Suite("Validators")
struct ValidatorTests {
    let now: UInt64 = 1_800_000_000_000

    @Test("/pk: the key of the peer that is named, nothing else", arguments: [KeyAlgorithm.ed25519, .secp256k1])
    func publicKey(algorithm: KeyAlgorithm) throws {
        let owner = try KeyPair.generate(algorithm)
        let validator = PublicKeyValidator()
        let key = PublicKeyValidator.key(of: owner.peerID)
        #expect(key.starts(with: Array("/pk/".utf8)) && key.count == 4 + owner.peerID.bytes.count)
        #expect(try validator.validate(owner.publicKey.protobufEncoded, under: key, nowMilliseconds: self.now) == nil)
        #expect(throws: ValueError.wrongOwner) {
            _ = try validator.validate(try KeyPair.generate().publicKey.protobufEncoded, under: key, nowMilliseconds: self.now)
        }
        #expect(throws: ValueError.malformed) { _ = try validator.validate([1], under: key, nowMilliseconds: self.now) }
        #expect(throws: ValueError.malformed) {
            _ = try validator.validate(owner.publicKey.protobufEncoded, under: Array("/pk/x".utf8), nowMilliseconds: self.now)
        }
        #expect(throws: ValueError.malformed) { _ = try validator.validate([], under: [], nowMilliseconds: self.now) }
    }

    func value(_ owner: KeyPair, sequence: UInt64 = 1, lifetime: Int64 = 1000, key: [UInt8]? = nil) throws -> [UInt8] {
        try SignedValue(
            owner: owner.peerID, key: key ?? SignedValue.key("x", of: owner.peerID), sequence: sequence,
            expiresAtMilliseconds: UInt64(Int64(self.now) + lifetime), value: [1]
        ).sealed(with: owner)
    }

    @Test("/dig: signed by the peer that the key names, for this key, not over, not too long")
    func signed() throws {
        let (owner, other) = (try KeyPair.generate(), try KeyPair.generate())
        let validator = SignedValueValidator()
        let key = SignedValue.key("x", of: owner.peerID)
        func check(_ value: [UInt8], _ key: [UInt8]) throws(ValueError) { _ = try validator.validate(value, under: key, nowMilliseconds: self.now) }
        #expect(try validator.validate(self.value(owner), under: key, nowMilliseconds: self.now) == self.now + 1000)
        #expect(throws: ValueError.wrongOwner) { try check(self.value(other, key: key), key) }
        #expect(throws: ValueError.wrongOwner) { try check(self.value(owner), SignedValue.key("y", of: owner.peerID)) }
        #expect(throws: ValueError.wrongOwner) { try check(self.value(owner, key: key + [0x2f]), key + [0x2f]) }
        #expect(throws: ValueError.expired) { try check(self.value(owner, lifetime: 0), key) }
        #expect(throws: ValueError.expired) { try check(self.value(owner, lifetime: -1_000_000_000_000), key) }
        try check(self.value(owner, lifetime: 48 * 3_600_000), key)
        #expect(throws: ValueError.tooFarInFuture) { try check(self.value(owner, lifetime: 49 * 3_600_000), key) }
        #expect(throws: ValueError.malformed) { try check([1, 2, 3], key) }
        var damaged = try self.value(owner)
        damaged[damaged.count - 1] ^= 1
        #expect(throws: ValueError.invalidSignature) { try check(damaged, key) }
    }

    @Test("/dig: the highest number is the best, whatever the order")
    func best() throws {
        let owner = try KeyPair.generate()
        let validator = SignedValueValidator()
        let key = SignedValue.key("x", of: owner.peerID)
        let (old, new, longer) = (try self.value(owner), try self.value(owner, sequence: 2), try self.value(owner, lifetime: 2000))
        #expect(validator.prefers(new, to: old, under: key))
        #expect(!validator.prefers(old, to: new, under: key))
        #expect(!validator.prefers(old, to: old, under: key))
        #expect(validator.prefers(longer, to: old, under: key))
        #expect(!validator.prefers([1], to: old, under: key))
    }

    @Test("namespaces are what is between the first two slashes")
    func namespaces() throws {
        let table = ValidatorTable(["pk": PublicKeyValidator()])
        _ = try table.validator(for: Array("/pk/a".utf8))
        for key in ["", "/", "pk/a", "/pk", "/pk/", "/pkx/a", "//a", "/dig/a"] {
            #expect(throws: ValueError.unknownNamespace) { _ = try table.validator(for: Array(key.utf8)) }
        }
    }
}
