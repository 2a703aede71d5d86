import Crypto

/// A proof that one of several keys signed, which does not say which (Abe, Ohkubo, Suzuki: "1-out-of-n Signatures from a Variety of Keys",
/// Asiacrypt 2002, with Schnorr's proofs on secp256k1).
///
/// With the members' keys P₀ … Pₙ₋₁, the generator G and a hash H, it is c₀ and s₀ … sₙ₋₁ so that
///
///     cᵢ₊₁ = H(ring, message, i, sᵢ·G + cᵢ·Pᵢ)   and   cₙ = c₀
///
/// Who knows one private key can close the circle at its place; at all others s is drawn at random. Every member could have made exactly
/// these bytes, so that not even the members' private keys tell who did, and two proofs of one member are no more alike than those of two.
///
/// What it is used for, and what it does not hide: `docs/PRIVATE-SWARMS.md`.
public struct RingSignature: Hashable, Sendable {
    /// The first byte: this scheme on this curve with this hash.
    public static let version: UInt8 = 1
    /// The version, c₀, and one number for each member of the largest ring.
    public static let maximumByteCount = 1 + 32 * (1 + MemberRing.maximumMemberCount)

    /// c₀.
    let start: [UInt8]
    /// s₀ … sₙ₋₁.
    let responses: [[UInt8]]

    /// How many members the ring has.
    public var memberCount: Int { self.responses.count }

    private init(start: [UInt8], responses: [[UInt8]]) {
        self.start = start
        self.responses = responses
    }

    /// Reads ``encoded``. Whether it proves anything, ``isValid(for:ring:)`` says.
    ///
    /// - Throws: ``IdentityError`` with `.invalidProof` for other lengths and versions, and for numbers that are 0 or not below the order of the curve.
    public init(decoding bytes: some Collection<UInt8>) throws(IdentityError) {
        guard (65...Self.maximumByteCount).contains(bytes.count), bytes.count % 32 == 1 else {
            throw IdentityError(.invalidProof, "\(bytes.count) bytes are not a proof of membership")
        }
        let bytes = Array(bytes)
        guard bytes[0] == Self.version else { throw IdentityError(.invalidProof, "a proof of membership of version \(bytes[0]) is not known here") }
        let numbers = stride(from: 1, to: bytes.count, by: 32).map { Array(bytes[$0..<$0 + 32]) }
        guard numbers.allSatisfy(Secp256k1.isScalar) else { throw IdentityError(.invalidProof, "a number in the proof is out of range") }
        self.start = numbers[0]
        self.responses = Array(numbers.dropFirst())
    }

    /// The version, c₀, s₀ … sₙ₋₁: 1 byte and 32 bytes each.
    public var encoded: [UInt8] { [Self.version] + self.start + self.responses.joined() }

    /// Signs `message` for the ring.
    ///
    /// - Throws: ``IdentityError`` with `.notAMember` if the key is none of the ring's, `.signingFailed`.
    /// - Complexity: One multiplication on the curve for each member, some 0.1 ms each.
    public static func sign(_ message: some Collection<UInt8>, ring: MemberRing, with key: MemberKeyPair) throws(IdentityError) -> RingSignature {
        guard let index = ring.index(of: key.publicKey) else { throw IdentityError(.notAMember, "the key is none of the ring's") }
        let digest = Self.digest(of: message)
        // Each attempt fails with a probability of some 2⁻¹²⁰.
        for _ in 0..<4 {
            // As BIP-340 does: a weak source of random numbers alone does not give the key away, nor does a hash alone.
            let nonce = TaggedHash.hash("dig-nat-tools/ring/nonce/1", key.secret + Self.random() + ring.digest + digest)
            let others = ring.members.map { _ in Self.random() }
            if let signature = Self.sign(digest, ring: ring, index: index, secret: key.secret, nonce: nonce, others: others) { return signature }
        }
        throw IdentityError(.signingFailed, "the proof could not be made")
    }

    /// Closes the circle at `index`.
    ///
    /// - Parameters:
    ///   - nonce: The number behind the commitment at `index`; secret, and never used again.
    ///   - others: s at the other places; what is at `index` is not used.
    /// - Returns: `nil` if a number is out of range.
    static func sign(_ digest: [UInt8], ring: MemberRing, index: Int, secret: [UInt8], nonce: [UInt8], others: [[UInt8]]) -> RingSignature? {
        guard let points = ring.points, points.indices.contains(index), others.count == points.count, let commitment = Secp256k1.publicKey(of: nonce)
        else { return nil }
        let prefix = ring.digest + digest
        var responses = others
        var start: [UInt8]?
        var challenge = Self.challenge(prefix, index, commitment)
        for offset in 1...points.count {
            let place = (index + offset) % points.count
            if place == 0 { start = challenge }
            if place == index { break }
            guard let next = Secp256k1.sum(responses[place], challenge, times: points[place]) else { return nil }
            challenge = Self.challenge(prefix, place, next)
        }
        guard let start, let response = Secp256k1.response(nonce: nonce, factor: challenge, secret: secret) else { return nil }
        responses[index] = response
        return RingSignature(start: start, responses: responses)
    }

    /// Whether a member of `ring` signed `message`.
    ///
    /// - Complexity: As ``sign(_:ring:with:)``.
    public func isValid(for message: some Collection<UInt8>, ring: MemberRing) -> Bool {
        guard self.responses.count == ring.members.count, let points = ring.points else { return false }
        let prefix = ring.digest + Self.digest(of: message)
        var challenge = self.start
        for (place, point) in points.enumerated() {
            guard let commitment = Secp256k1.sum(self.responses[place], challenge, times: point) else { return false }
            challenge = Self.challenge(prefix, place, commitment)
        }
        return challenge == self.start
    }

    static func digest(of message: some Collection<UInt8>) -> [UInt8] { TaggedHash.hash("dig-nat-tools/ring/message/1", message) }

    /// c at the place behind `place`.
    private static func challenge(_ prefix: [UInt8], _ place: Int, _ commitment: [UInt8]) -> [UInt8] {
        TaggedHash.hash("dig-nat-tools/ring/challenge/1", prefix + [UInt8(place >> 8), UInt8(place & 0xff)] + commitment)
    }

    private static func random() -> [UInt8] { SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) } }
}
