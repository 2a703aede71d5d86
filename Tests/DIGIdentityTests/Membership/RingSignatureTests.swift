@testable import DIGIdentity
import DIGTestSupport
import Testing

@Suite("Ring signature")
struct RingSignatureTests {
    static let message = Array("a question".utf8)
    static let order = bytes("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")

    /// In the ring's order.
    static func members(_ count: Int) throws -> [MemberKeyPair] { try MemberRingTests.members(count).sorted { $0.publicKey < $1.publicKey } }

    static func ring(_ members: [MemberKeyPair]) throws -> MemberRing { try MemberRing(members.map(\.publicKey)) }

    @Test("of every member of a ring is valid", arguments: [1, 2, 3, 16, 64])
    func everyMember(count: Int) throws {
        let members = try Self.members(count)
        let ring = try Self.ring(members)
        for member in members {
            let signature = try RingSignature.sign(Self.message, ring: ring, with: member)
            #expect(signature.memberCount == count)
            let isValid = signature.isValid(for: Self.message, ring: ring)
            #expect(isValid)
            #expect(signature.encoded.count == 33 + 32 * count)
            #expect(try RingSignature(decoding: signature.encoded) == signature)
        }
    }

    @Test("works in the largest ring")
    func largest() throws {
        let members = try Self.members(256)
        let ring = try Self.ring(members)
        let signature = try RingSignature.sign(Self.message, ring: ring, with: members[200])
        #expect(signature.encoded.count == RingSignature.maximumByteCount)
        let isValid = try RingSignature(decoding: signature.encoded).isValid(for: Self.message, ring: ring)
        #expect(isValid)
    }

    @Test("cannot be made by somebody else")
    func stranger() throws {
        let members = try Self.members(4)
        let ring = try Self.ring(members)
        let stranger = try Self.members(1)[0]
        #expect(throws: IdentityError(.notAMember, "")) { try RingSignature.sign(Self.message, ring: ring, with: stranger) }
        // What a stranger gets by closing the circle with a key that is not the one at that place.
        let digest = RingSignature.digest(of: Self.message)
        for index in 0..<4 {
            let numbers = try Self.members(4).map(\.secret)
            let forged = try #require(
                RingSignature.sign(digest, ring: ring, index: index, secret: stranger.secret, nonce: Self.members(1)[0].secret, others: numbers))
            #expect(!forged.isValid(for: Self.message, ring: ring))
            // Another member's key at a place that is not its own.
            let misplaced = try #require(
                RingSignature.sign(digest, ring: ring, index: index, secret: members[(index + 1) % 4].secret, nonce: Self.members(1)[0].secret, others: numbers))
            #expect(!misplaced.isValid(for: Self.message, ring: ring))
        }
    }

    @Test("is of one message and one ring only")
    func bound() throws {
        let members = try Self.members(5)
        let ring = try Self.ring(Array(members.dropLast()))
        let signature = try RingSignature.sign(Self.message, ring: ring, with: members[1])
        #expect(!signature.isValid(for: Self.message + [0], ring: ring))
        #expect(!signature.isValid(for: [], ring: ring))
        // One more, one fewer, one other, and the same number of others.
        for other in [members, Array(members.prefix(3)), Array(members.prefix(3)) + [members[4]], try Self.members(4)] {
            #expect(!signature.isValid(for: Self.message, ring: try Self.ring(other)))
        }
    }

    @Test("with its numbers in another order is not valid")
    func permuted() throws {
        let members = try Self.members(4)
        let ring = try Self.ring(members)
        let encoded = try RingSignature.sign(Self.message, ring: ring, with: members[2]).encoded
        let numbers = stride(from: 1, to: encoded.count, by: 32).map { Array(encoded[$0..<$0 + 32]) }
        for shift in 1..<numbers.count {
            let rotated = numbers[shift...] + numbers[..<shift]
            #expect(try !RingSignature(decoding: [1] + rotated.joined()).isValid(for: Self.message, ring: ring))
            let responses = Array(numbers.dropFirst())
            guard shift < responses.count else { continue }
            let turned = [numbers[0]] + responses[shift...] + responses[..<shift]
            #expect(try !RingSignature(decoding: [1] + turned.joined()).isValid(for: Self.message, ring: ring))
        }
    }

    @Test("with any bit changed is not valid")
    func changedBit() throws {
        let members = try Self.members(2)
        let ring = try Self.ring(members)
        let encoded = try RingSignature.sign(Self.message, ring: ring, with: members[0]).encoded
        for bit in 0..<encoded.count * 8 {
            var changed = encoded
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            let signature: RingSignature
            do throws(IdentityError) { signature = try RingSignature(decoding: changed) } catch {
                #expect(error.code == .invalidProof)
                continue
            }
            let isValid = signature.isValid(for: Self.message, ring: ring)
            #expect(!isValid)
        }
    }

    @Test("of another length or version, with zero or the order of the curve in it, is refused")
    func malformed() throws {
        let members = try Self.members(2)
        let good = try RingSignature.sign(Self.message, ring: try Self.ring(members), with: members[0]).encoded
        for count in 0..<good.count where count != 65 { #expect(throws: IdentityError(.invalidProof, "")) { try RingSignature(decoding: good.prefix(count)) } }
        #expect(throws: IdentityError(.invalidProof, "")) { try RingSignature(decoding: good + [1]) }
        let oversize = [1] + [UInt8](repeating: 1, count: 32 * 258)
        #expect(throws: IdentityError(.invalidProof, "")) { try RingSignature(decoding: oversize) }
        #expect(throws: IdentityError(.invalidProof, "")) { try RingSignature(decoding: [UInt8](repeating: 1, count: 1 << 20)) }
        for version in UInt8.min...UInt8.max where version != 1 {
            #expect(throws: IdentityError(.invalidProof, "")) { try RingSignature(decoding: [version] + good.dropFirst()) }
        }
        for number in [[UInt8](repeating: 0, count: 32), Self.order, [UInt8](repeating: 0xff, count: 32)] {
            for place in 0..<3 {
                var changed = good
                changed.replaceSubrange((1 + 32 * place)..<(33 + 32 * place), with: number)
                #expect(throws: IdentityError(.invalidProof, "")) { try RingSignature(decoding: changed) }
            }
        }
    }

    /// The numbers are chosen so that s·G + c·P = 0 at the first place: the sum is no point that could be hashed.
    @Test("that leads to the point at infinity is not valid")
    func infinity() throws {
        let member = try Self.members(1)[0]
        let ring = try Self.ring([member])
        var c = [UInt8](repeating: 0, count: 32)
        c[31] = 1
        // s = −x: s·G + 1·P = 0.
        let negated = try #require(Secp256k1.response(nonce: Secp256k1Tests.one, factor: Secp256k1Tests.one, secret: member.secret))
        // 1 − x, less 1.
        let s = try #require(Secp256k1.response(nonce: negated, factor: Secp256k1Tests.one, secret: Secp256k1Tests.one))
        #expect(Secp256k1.sum(s, c, times: try #require(ring.points)[0]) == nil)
        #expect(try !RingSignature(decoding: [1] + c + s).isValid(for: Self.message, ring: ring))
    }

    @Test("random and damaged bytes do no harm and prove nothing")
    func anyBytes() throws {
        let members = try Self.members(3)
        let ring = try Self.ring(members)
        let good = try RingSignature.sign(Self.message, ring: ring, with: members[0]).encoded
        var generator = SeededGenerator(seed: 6)
        for round in 0..<2000 {
            let bytes = round.isMultiple(of: 2)
                ? generator.mutated(good) : [1] + (0..<(32 * Int.random(in: 0...6, using: &generator))).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            guard bytes != good else { continue }
            do throws(IdentityError) {
                let isValid = try RingSignature(decoding: bytes).isValid(for: Self.message, ring: ring)
                #expect(!isValid)
            } catch {
                #expect(error.code == .invalidProof)
            }
        }
    }

    /// The proof of anonymity, carried out: for a given signature every other member finds a nonce with which it makes the same bytes.
    @Test("could have been made by every member, byte for byte", arguments: [1, 2, 5, 16])
    func everyMemberCouldHave(count: Int) throws {
        let members = try Self.members(count)
        let ring = try Self.ring(members)
        let points = try #require(ring.points)
        let digest = RingSignature.digest(of: Self.message)
        let signature = try RingSignature.sign(Self.message, ring: ring, with: members[count / 2])
        // The challenges at each place, as a verifier computes them.
        var challenges = [signature.start]
        for place in 0..<count {
            let commitment = try #require(Secp256k1.sum(signature.responses[place], challenges[place], times: points[place]))
            challenges.append(
                TaggedHash.hash("dig-nat-tools/ring/challenge/1", ring.digest + digest + [UInt8(place >> 8), UInt8(place & 0xff)] + commitment))
        }
        #expect(challenges[count] == signature.start)
        for (place, member) in members.enumerated() {
            // s = k − c·x, so k = s + c·x = s − (−c)·x.
            let negated = try #require(Self.negated(challenges[place]))
            let nonce = try #require(Secp256k1.response(nonce: signature.responses[place], factor: negated, secret: member.secret))
            let same = RingSignature.sign(digest, ring: ring, index: place, secret: member.secret, nonce: nonce, others: signature.responses)
            #expect(same == signature)
        }
    }

    /// The order less a number.
    private static func negated(_ scalar: [UInt8]) -> [UInt8]? {
        var result = [UInt8](repeating: 0, count: 32)
        var borrow = 0
        for index in (0..<32).reversed() {
            let difference = Int(Self.order[index]) - Int(scalar[index]) - borrow
            borrow = difference < 0 ? 1 : 0
            result[index] = UInt8(difference & 0xff)
        }
        return borrow == 0 ? result : nil
    }

    /// A sanity test beside the proof above: it finds a signer whose number is shorter, rounder or repeated, not a weakness of the hash.
    @Test("looks the same at the signer's place as at the others")
    func distribution() throws {
        let members = try Self.members(4)
        let ring = try Self.ring(members)
        let rounds = 1500
        var seen = Set<[UInt8]>()
        for (signer, member) in members.enumerated() {
            // For each place, how often each value of the first and last four bits came.
            var first = [[Int]](repeating: [Int](repeating: 0, count: 16), count: 5)
            var last = first
            for _ in 0..<rounds {
                let signature = try RingSignature.sign(Self.message, ring: ring, with: member)
                for (place, number) in ([signature.start] + signature.responses).enumerated() {
                    first[place][Int(number[0] >> 4)] += 1
                    last[place][Int(number[31] & 15)] += 1
                    seen.insert(number)
                }
            }
            let expected = Double(rounds) / 16
            for place in 0..<5 {
                for counts in [first[place], last[place]] {
                    let chiSquared = counts.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
                    // 15 degrees of freedom: beyond 60 once in some three million.
                    #expect(chiSquared < 60, "signer \(signer), place \(place)")
                }
            }
        }
        // No number comes twice, so two proofs of one member have nothing in common.
        #expect(seen.count == 4 * rounds * 5)
    }
}
