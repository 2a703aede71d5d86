import DIGIdentity
import DIGTestSupport
import Testing

@Suite("Member keys and rings")
struct MemberRingTests {
    static func members(_ count: Int) throws -> [MemberKeyPair] { try (0..<count).map { _ in try MemberKeyPair(try KeyPair.generate(.secp256k1)) } }

    @Test("every kind of identity has one member key, always the same", arguments: KeyAlgorithm.allCases)
    func derived(algorithm: KeyAlgorithm) throws {
        let pair = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        let key = try MemberKeyPair(pair)
        #expect(try MemberKeyPair(KeyPair(protobufEncoded: pair.protobufEncoded)).publicKey == key.publicKey)
        #expect(try MemberKeyPair(try KeyPair.generate(algorithm, rsaKeySize: 2048)).publicKey != key.publicKey)
        #expect(MemberKey(key.publicKey.description) == key.publicKey)
        if algorithm == .secp256k1 {
            #expect(try MemberKey(pair.publicKey) == key.publicKey)
        } else {
            #expect(throws: IdentityError(.unsupportedKey, "")) { try MemberKey(pair.publicKey) }
        }
    }

    /// Computed with Python's hmac and coincurve from the definition.
    @Test("the member key of an Ed25519 identity is what the definition says")
    func definition() throws {
        let pair = try KeyPair(ed25519Seed: [UInt8](repeating: 1, count: 32))
        #expect(try MemberKeyPair(pair).publicKey.description == "02c56e1e05da2777f7280100a8c74ea424cdd7ee8171dfc3579af0d3ac8bb78481")
    }

    @Test("no description shows the private half")
    func secrecy() throws {
        let key = try MemberKeyPair(KeyPair(secp256k1PrivateKey: [UInt8](repeating: 0x5a, count: 32)))
        for text in ["\(key)", String(reflecting: key), "\(Mirror(reflecting: key).children.map { "\($0)" })"] {
            #expect(!text.contains("5a5a5a") && !text.contains("90, 90"))
        }
    }

    @Test("a ring is a set: the order in which members are named makes no difference")
    func order() throws {
        let keys = try Self.members(8).map(\.publicKey)
        let ring = try MemberRing(keys)
        #expect(try MemberRing(keys.reversed()) == ring)
        #expect(try MemberRing(keys.shuffled()).digest == ring.digest)
        #expect(ring.members == keys.sorted())
        #expect(try MemberRing(decoding: ring.encoded) == ring)
        #expect(keys.allSatisfy(ring.contains))
        #expect(try !ring.contains(Self.members(1)[0].publicKey))
    }

    @Test("two rings have two digests")
    func digests() throws {
        let keys = try Self.members(4).map(\.publicKey)
        let rings = [try MemberRing(keys), try MemberRing(keys.dropLast()), try MemberRing(keys.dropFirst()), try MemberRing([keys[0]])]
        #expect(Set(rings.map(\.digest)).count == rings.count)
    }

    @Test("no members, too many, or one of them twice make no ring")
    func refused() throws {
        let keys = try Self.members(257).map(\.publicKey)
        #expect(try MemberRing(keys.prefix(256)).members.count == 256)
        for members in [[], keys, [keys[0], keys[1], keys[0]]] { #expect(throws: IdentityError(.invalidRing, "")) { try MemberRing(members) } }
        #expect(throws: IdentityError(.invalidRing, "")) { try MemberRing(decoding: keys.sorted().flatMap(\.bytes)) }
    }

    @Test("a ring has one encoding: permuted, doubled, cut off or with what is no point it is refused")
    func decoding() throws {
        let keys = try Self.members(3).map(\.publicKey).sorted()
        let good = try MemberRing(keys).encoded
        for bytes in [
            keys[1].bytes + keys[0].bytes + keys[2].bytes, keys[0].bytes + keys[0].bytes, [], [UInt8](repeating: 0, count: 33), [UInt8](repeating: 0xff, count: 33),
            [2] + [UInt8](repeating: 0, count: 32), [UInt8](repeating: 2, count: 33 * 257), good + [2], [4] + good.dropFirst(),
        ] {
            #expect(throws: IdentityError(.invalidRing, "")) { try MemberRing(decoding: bytes) }
        }
        for count in 0..<good.count where !(count > 0 && count.isMultiple(of: 33)) {
            #expect(throws: IdentityError(.invalidRing, "")) { try MemberRing(decoding: good.prefix(count)) }
        }
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<1000 {
            let bytes = generator.mutated(good)
            do throws(IdentityError) {
                #expect(try MemberRing(decoding: bytes).encoded == bytes)
            } catch {
                #expect(error.code == .invalidRing)
            }
        }
    }

    @Test("a member key is a point in hexadecimal")
    func text() throws {
        let key = try Self.members(1)[0].publicKey
        #expect(MemberKey("0x" + key.description.uppercased()) == key)
        for text in ["", "00", String(key.description.dropLast(2)), key.description + "00", "04" + key.description.dropFirst(2), String(repeating: "f", count: 66)] {
            #expect(MemberKey(text) == nil)
        }
    }
}
