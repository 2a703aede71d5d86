import Crypto
import CryptoExtras
import Foundation

/// scrypt with block size 1 (RFC 7914 §6), for costs that the library refuses.
///
/// RFC 7914 §2 wants a cost below 2^(16·blockSize). The keystore definition's own example, and what web3.py wrote until 2022, have cost 2¹⁸
/// and block size 1. All else is the library's.
enum NarrowScrypt {
    /// A block of 128 bytes in words: twice what Salsa20/8 takes.
    private static let wordCount = 32

    /// - Parameters:
    ///   - cost: A power of two.
    ///   - parallelization: At least 1. Both are bounded by the caller: 128·(cost + parallelization) bytes are taken.
    /// - Returns: 32 bytes.
    static func deriveKey(password: [UInt8], salt: [UInt8], cost: Int, parallelization: Int) throws -> SymmetricKey {
        func pbkdf2(_ salt: [UInt8], _ byteCount: Int) throws -> [UInt8] {
            try KDF.Insecure.PBKDF2.deriveKey(from: password, salt: salt, using: .sha256, outputByteCount: byteCount, unsafeUncheckedRounds: 1)
                .withUnsafeBytes { Array($0) }
        }
        var bytes = try pbkdf2(salt, 4 * Self.wordCount * parallelization)
        var table = [UInt32](repeating: 0, count: Self.wordCount * cost)
        for start in stride(from: 0, to: bytes.count, by: 4 * Self.wordCount) {
            var block = (0..<Self.wordCount).map { word in (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + 4 * word + $1]) << UInt32(8 * $1) } }
            block.withUnsafeMutableBufferPointer { block in table.withUnsafeMutableBufferPointer { Self.mix(block, table: $0, cost: cost) } }
            for word in 0..<Self.wordCount {
                for byte in 0..<4 { bytes[start + 4 * word + byte] = UInt8(truncatingIfNeeded: block[word] >> UInt32(8 * byte)) }
            }
        }
        return SymmetricKey(data: try pbkdf2(bytes, 32))
    }

    /// RFC 7914 §5, scryptROMix.
    private static func mix(_ block: UnsafeMutableBufferPointer<UInt32>, table: UnsafeMutableBufferPointer<UInt32>, cost: Int) {
        guard let x = block.baseAddress, let v = table.baseAddress else { return }
        for index in 0..<cost {
            (v + Self.wordCount * index).update(from: x, count: Self.wordCount)
            Self.mixBlock(x)
        }
        for _ in 0..<cost {
            let row = v + Self.wordCount * (Int(x[16]) & (cost - 1))
            var word = 0
            while word < Self.wordCount {
                x[word] ^= row[word]
                word &+= 1
            }
            Self.mixBlock(x)
        }
    }

    /// RFC 7914 §4, scryptBlockMix with r = 1: each half becomes Salsa20/8 of itself and the other one, as that is by then.
    private static func mixBlock(_ x: UnsafeMutablePointer<UInt32>) {
        Self.salsa(x, x + 16)
        Self.salsa(x + 16, x)
    }

    /// RFC 7914 §3: a becomes Salsa20/8 of a XOR b.
    private static func salsa(_ a: UnsafeMutablePointer<UInt32>, _ b: UnsafeMutablePointer<UInt32>) {
        var word = 0
        while word < 16 {
            a[word] ^= b[word]
            word &+= 1
        }
        var (x0, x1, x2, x3) = (a[0], a[1], a[2], a[3])
        var (x4, x5, x6, x7) = (a[4], a[5], a[6], a[7])
        var (x8, x9, x10, x11) = (a[8], a[9], a[10], a[11])
        var (x12, x13, x14, x15) = (a[12], a[13], a[14], a[15])
        var round = 0
        while round < 4 {
            // Columns, then rows.
            Self.quarter(&x0, &x4, &x8, &x12)
            Self.quarter(&x5, &x9, &x13, &x1)
            Self.quarter(&x10, &x14, &x2, &x6)
            Self.quarter(&x15, &x3, &x7, &x11)
            Self.quarter(&x0, &x1, &x2, &x3)
            Self.quarter(&x5, &x6, &x7, &x4)
            Self.quarter(&x10, &x11, &x8, &x9)
            Self.quarter(&x15, &x12, &x13, &x14)
            round &+= 1
        }
        a[0] &+= x0
        a[1] &+= x1
        a[2] &+= x2
        a[3] &+= x3
        a[4] &+= x4
        a[5] &+= x5
        a[6] &+= x6
        a[7] &+= x7
        a[8] &+= x8
        a[9] &+= x9
        a[10] &+= x10
        a[11] &+= x11
        a[12] &+= x12
        a[13] &+= x13
        a[14] &+= x14
        a[15] &+= x15
    }

    @inline(__always)
    private static func quarter(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32, _ d: inout UInt32) {
        let b1 = a &+ d
        b ^= b1 &<< 7 | b1 &>> 25
        let c1 = b &+ a
        c ^= c1 &<< 9 | c1 &>> 23
        let d1 = c &+ b
        d ^= d1 &<< 13 | d1 &>> 19
        let a1 = d &+ c
        a ^= a1 &<< 18 | a1 &>> 14
    }
}
