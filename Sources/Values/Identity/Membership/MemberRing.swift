import CSecp256k1

/// The members of a private swarm: a set of keys, all of which could have made a proof.
///
/// A set has no order: the keys are kept in the order of their bytes, so that everybody who knows the same members has the same ring.
public struct MemberRing: Hashable, Sendable {
    /// Ours: the proof of such a ring has 8,225 bytes and costs a verifier 256 multiplications on the curve, some 25 ms.
    public static let maximumMemberCount = 256

    /// Ascending.
    public let members: [MemberKey]
    /// 32 bytes that stand for the members, to compare lists by.
    public let digest: [UInt8]

    /// - Throws: ``IdentityError`` with `.invalidRing` if there are no keys, more than ``maximumMemberCount``, or one of them twice.
    public init(_ members: some Collection<MemberKey>) throws(IdentityError) {
        try self.init(ascending: members.count > Self.maximumMemberCount ? Array(members.prefix(Self.maximumMemberCount + 1)) : members.sorted())
    }

    private init(ascending members: [MemberKey]) throws(IdentityError) {
        guard (1...Self.maximumMemberCount).contains(members.count) else {
            throw IdentityError(.invalidRing, "a ring has 1 to \(Self.maximumMemberCount) members, not \(members.count)")
        }
        guard zip(members, members.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw IdentityError(.invalidRing, "a ring has each member once, in ascending order")
        }
        self.members = members
        self.digest = TaggedHash.hash("dig-nat-tools/ring/members/1", [UInt8(members.count >> 8), UInt8(members.count & 0xff)] + members.flatMap(\.bytes))
    }

    /// Reads ``encoded``.
    ///
    /// - Throws: ``IdentityError`` with `.invalidRing`, also for keys in another order: a ring has one encoding.
    public init(decoding bytes: some Collection<UInt8>) throws(IdentityError) {
        let byteCount = Secp256k1.compressedKeyByteCount
        guard bytes.count <= byteCount * Self.maximumMemberCount, bytes.count.isMultiple(of: byteCount) else {
            throw IdentityError(.invalidRing, "\(bytes.count) bytes are not the keys of a ring")
        }
        let bytes = Array(bytes)
        var members: [MemberKey] = []
        for start in stride(from: 0, to: bytes.count, by: byteCount) {
            do throws(IdentityError) { members.append(try MemberKey(bytes: bytes[start..<start + byteCount])) } catch {
                throw IdentityError(.invalidRing, error.message)
            }
        }
        try self.init(ascending: members)
    }

    /// The keys one after the other, 33 bytes each.
    public var encoded: [UInt8] { self.members.flatMap(\.bytes) }

    public func contains(_ member: MemberKey) -> Bool { self.index(of: member) != nil }

    func index(of member: MemberKey) -> Int? { self.members.firstIndex(of: member) }

    /// The points; `nil` never, because the keys have been checked.
    var points: [secp256k1_pubkey]? {
        let points = self.members.compactMap { Secp256k1.parse($0.bytes) }
        return points.count == self.members.count ? points : nil
    }
}
