import Crypto
public import DIGIdentity
import Foundation

/// A place in the key space: the SHA-256 of a key's bytes (kad-dht r2, "Distance").
public struct KademliaKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    public static let bitCount = 256
    public static let byteCount = 32

    // Big-endian: the first holds the bits that count most. Fixed in size, because tables and lookups hold many.
    let word0: UInt64
    let word1: UInt64
    let word2: UInt64
    let word3: UInt64

    init(_ word0: UInt64, _ word1: UInt64, _ word2: UInt64, _ word3: UInt64) {
        self.word0 = word0
        self.word1 = word1
        self.word2 = word2
        self.word3 = word3
    }

    /// Where the thing called `bytes` belongs.
    public init(hashing bytes: [UInt8]) {
        let words = SHA256.hash(data: bytes).withUnsafeBytes { digest in
            (0..<4).map { UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
        }
        self.init(words[0], words[1], words[2], words[3])
    }

    public init(_ peer: PeerID) { self.init(hashing: peer.bytes) }

    /// Takes a place itself; nil unless there are 32 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        for (index, byte) in bytes.enumerated() {
            switch index / 8 {
            case 0: words.0 = words.0 << 8 | UInt64(byte)
            case 1: words.1 = words.1 << 8 | UInt64(byte)
            case 2: words.2 = words.2 << 8 | UInt64(byte)
            default: words.3 = words.3 << 8 | UInt64(byte)
            }
        }
        self.init(words.0, words.1, words.2, words.3)
    }

    public var bytes: [UInt8] {
        [self.word0, self.word1, self.word2, self.word3].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - $0 * 8)) } }
    }

    /// XOR, the metric of Kademlia: symmetric, and for each key and distance there is one other key.
    public func distance(to other: KademliaKey) -> KademliaDistance {
        KademliaDistance(
            value: KademliaKey(self.word0 ^ other.word0, self.word1 ^ other.word1, self.word2 ^ other.word2, self.word3 ^ other.word3))
    }

    /// How many leading bits both share, 0 to 256.
    public func commonPrefixLength(with other: KademliaKey) -> Int {
        let first = self.word0 ^ other.word0
        if first != 0 { return first.leadingZeroBitCount }
        let second = self.word1 ^ other.word1
        if second != 0 { return 64 + second.leadingZeroBitCount }
        let third = self.word2 ^ other.word2
        if third != 0 { return 128 + third.leadingZeroBitCount }
        return 192 + (self.word3 ^ other.word3).leadingZeroBitCount
    }

    /// By value, which is the distance to zero.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        if lhs.word0 != rhs.word0 { return lhs.word0 < rhs.word0 }
        if lhs.word1 != rhs.word1 { return lhs.word1 < rhs.word1 }
        if lhs.word2 != rhs.word2 { return lhs.word2 < rhs.word2 }
        return lhs.word3 < rhs.word3
    }

    /// The first eight bytes in hexadecimal.
    public var description: String {
        let digits = String(self.word0, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
