/// One of the forty symbol sizes, with its capacity (ISO/IEC 18004 tables 1, 7, 9).
struct QRVersion {
    let number: Int
    var size: Int { 17 + 4 * self.number }

    // Table 9, by version − 1: error correction codewords in each block, and the number of blocks.
    private static let lowCorrection = [
        7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28,
        28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ]
    private static let lowBlocks = [
        1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8,
        8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25,
    ]
    private static let mediumCorrection = [
        10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26,
        26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    ]
    private static let mediumBlocks = [
        1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16,
        17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49,
    ]

    static func smallest(holding segment: QRSegment, errorCorrection: QRCode.ErrorCorrection) -> QRVersion? {
        (1...40).lazy.map(QRVersion.init).first { $0.holds(segment, errorCorrection: errorCorrection) }
    }

    /// What byte mode holds in version 40, after the mode indicator and a count of 16 bits.
    static func maximumByteCount(_ errorCorrection: QRCode.ErrorCorrection) -> Int {
        (QRVersion(number: 40).dataCodewordCount(errorCorrection) * 8 - 20) / 8
    }

    func holds(_ segment: QRSegment, errorCorrection: QRCode.ErrorCorrection) -> Bool {
        segment.bitCount(version: self.number) <= self.dataCodewordCount(errorCorrection) * 8
    }

    /// Centres of the alignment patterns on either axis (annex E).
    var alignmentPositions: [Int] {
        guard self.number > 1 else { return [] }
        let count = self.number / 7 + 2
        // Evenly spaced from the far end, rounded up to even; the first is always 6. Version 32 is the one exception.
        let step = self.number == 32 ? 26 : (self.number * 4 + count * 2 + 1) / (count * 2 - 2) * 2
        return [6] + (0..<count - 1).reversed().map { self.size - 7 - $0 * step }
    }

    /// Bits left for data and error correction once the function patterns are placed.
    private var rawModuleCount: Int {
        var count = self.size * self.size
        count -= 3 * 64  // finders with separators
        count -= 2 * (self.size - 16)  // timing
        count -= 31  // format information and the dark module
        if self.number > 1 {
            let positions = self.alignmentPositions.count
            count -= (positions * positions - 3) * 25
            count += (positions - 2) * 2 * 5  // those on the timing lines share five modules
        }
        if self.number >= 7 { count -= 36 }  // version information
        return count
    }

    private func correction(_ level: QRCode.ErrorCorrection) -> (perBlock: Int, blocks: Int) {
        switch level {
        case .low: (Self.lowCorrection[self.number - 1], Self.lowBlocks[self.number - 1])
        case .medium: (Self.mediumCorrection[self.number - 1], Self.mediumBlocks[self.number - 1])
        }
    }

    private func dataCodewordCount(_ level: QRCode.ErrorCorrection) -> Int {
        let correction = self.correction(level)
        return self.rawModuleCount / 8 - correction.perBlock * correction.blocks
    }

    /// The data, padded, with its error correction, interleaved as it is placed (§7.4.10, §7.5, §7.6).
    func codewords(for segment: QRSegment, errorCorrection level: QRCode.ErrorCorrection) -> [UInt8] {
        let capacity = self.dataCodewordCount(level)
        var bits = QRBits()
        segment.write(to: &bits, version: self.number)
        bits.append(0, count: min(4, capacity * 8 - bits.count))  // terminator
        bits.append(0, count: (8 - bits.count % 8) % 8)
        var data = bits.bytes
        var pad: UInt8 = 0xEC
        while data.count < capacity {
            data.append(pad)
            pad ^= 0xEC ^ 0x11
        }

        let correction = self.correction(level)
        let shortLength = capacity / correction.blocks
        let longBlocks = capacity % correction.blocks  // the last ones are one codeword longer
        let code = ReedSolomon(correctionCount: correction.perBlock)
        var blocks: [ArraySlice<UInt8>] = []
        var start = 0
        for block in 0..<correction.blocks {
            let length = shortLength + (block >= correction.blocks - longBlocks ? 1 : 0)
            blocks.append(data[start..<start + length])
            start += length
        }
        var result: [UInt8] = []
        for index in 0...shortLength {
            for block in blocks where index < block.count { result.append(block[block.startIndex + index]) }
        }
        let corrections = blocks.map { code.correction(for: $0) }
        for index in 0..<correction.perBlock {
            for block in corrections { result.append(block[index]) }
        }
        return result
    }
}
