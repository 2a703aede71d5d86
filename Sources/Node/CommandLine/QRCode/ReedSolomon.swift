/// Reed–Solomon error correction over GF(2⁸) with x⁸ + x⁴ + x³ + x² + 1 (ISO/IEC 18004 §7.5.2).
struct ReedSolomon {
    /// Coefficients of (x − α⁰)(x − α¹)…, highest power first, without the leading 1.
    private let generator: [UInt8]

    init(correctionCount: Int) {
        var generator = [UInt8](repeating: 0, count: correctionCount)
        generator[correctionCount - 1] = 1
        var root: UInt8 = 1
        for _ in 0..<correctionCount {
            for index in 0..<correctionCount {
                generator[index] = Self.product(generator[index], root)
                if index + 1 < correctionCount { generator[index] ^= generator[index + 1] }
            }
            root = Self.product(root, 2)
        }
        self.generator = generator
    }

    /// The remainder of the data polynomial divided by the generator.
    func correction(for data: some Sequence<UInt8>) -> [UInt8] {
        var remainder = [UInt8](repeating: 0, count: self.generator.count)
        for byte in data {
            let factor = byte ^ remainder[0]
            for index in remainder.indices {
                let next = index + 1 < remainder.count ? remainder[index + 1] : 0
                remainder[index] = next ^ Self.product(self.generator[index], factor)
            }
        }
        return remainder
    }

    private static func product(_ x: UInt8, _ y: UInt8) -> UInt8 {
        var result: UInt8 = 0
        for bit in stride(from: 7, through: 0, by: -1) {
            result = result << 1 ^ (result >> 7) &* 0x1D
            result ^= (y >> UInt8(bit) & 1) &* x
        }
        return result
    }
}
