/// The square of modules: function patterns, data, mask (ISO/IEC 18004 §6.3, §7.7 … §7.10).
struct QRMatrix {
    private(set) var size: Int
    private(set) var modules: [Bool]
    /// Modules that carry no data and are not masked.
    private var reserved: [Bool]

    init(version: QRVersion, codewords: [UInt8], errorCorrection: QRCode.ErrorCorrection) {
        self.size = version.size
        self.modules = Array(repeating: false, count: version.size * version.size)
        self.reserved = self.modules
        self.placeFunctionPatterns(version)
        self.placeData(codewords)

        var best: (penalty: Int, matrix: Self)?
        for mask in 0..<8 {
            var candidate = self
            candidate.apply(mask: mask)
            candidate.placeFormat(mask: mask, errorCorrection: errorCorrection)
            let penalty = candidate.penalty
            if best.map({ penalty < $0.penalty }) ?? true { best = (penalty, candidate) }
        }
        if let best { self = best.matrix }
    }

    private mutating func set(_ row: Int, _ column: Int, _ dark: Bool) {
        self.modules[row * self.size + column] = dark
        self.reserved[row * self.size + column] = true
    }

    // MARK: Function patterns

    private mutating func placeFunctionPatterns(_ version: QRVersion) {
        for index in 0..<self.size {  // timing
            self.set(6, index, index % 2 == 0)
            self.set(index, 6, index % 2 == 0)
        }
        self.placeFinder(3, 3)
        self.placeFinder(3, self.size - 4)
        self.placeFinder(self.size - 4, 3)

        let positions = version.alignmentPositions
        for (i, row) in positions.enumerated() {
            for (j, column) in positions.enumerated() {
                let last = positions.count - 1
                if (i == 0 && j == 0) || (i == 0 && j == last) || (i == last && j == 0) { continue }  // finders are there
                for dy in -2...2 {
                    for dx in -2...2 { self.set(row + dy, column + dx, max(abs(dx), abs(dy)) != 1) }
                }
            }
        }
        self.placeFormat(mask: 0, errorCorrection: .low)  // reserves the modules
        self.placeVersion(version)
    }

    /// A 7×7 finder with its light separator, where that lies inside the symbol.
    private mutating func placeFinder(_ row: Int, _ column: Int) {
        for dy in -4...4 {
            for dx in -4...4 {
                let (y, x) = (row + dy, column + dx)
                guard y >= 0, y < self.size, x >= 0, x < self.size else { continue }
                let ring = max(abs(dx), abs(dy))
                self.set(y, x, ring != 2 && ring != 4)
            }
        }
    }

    /// §7.9: five bits, ten of BCH(15,5) correction, masked, twice.
    private mutating func placeFormat(mask: Int, errorCorrection: QRCode.ErrorCorrection) {
        let data = (errorCorrection == .low ? 0b01 : 0b00) << 3 | mask
        var remainder = data
        for _ in 0..<10 { remainder = remainder << 1 ^ (remainder >> 9) * 0x537 }
        let bits = (data << 10 | remainder) ^ 0x5412
        func bit(_ index: Int) -> Bool { bits >> index & 1 == 1 }

        for index in 0...5 { self.set(index, 8, bit(index)) }
        self.set(7, 8, bit(6))
        self.set(8, 8, bit(7))
        self.set(8, 7, bit(8))
        for index in 9..<15 { self.set(8, 14 - index, bit(index)) }

        for index in 0..<8 { self.set(8, self.size - 1 - index, bit(index)) }
        for index in 8..<15 { self.set(self.size - 15 + index, 8, bit(index)) }
        self.set(self.size - 8, 8, true)  // the dark module
    }

    /// §7.10: six bits, twelve of Golay correction, twice; from version 7.
    private mutating func placeVersion(_ version: QRVersion) {
        guard version.number >= 7 else { return }
        var remainder = version.number
        for _ in 0..<12 { remainder = remainder << 1 ^ (remainder >> 11) * 0x1F25 }
        let bits = version.number << 12 | remainder
        for index in 0..<18 {
            let dark = bits >> index & 1 == 1
            let (a, b) = (self.size - 11 + index % 3, index / 3)
            self.set(a, b, dark)
            self.set(b, a, dark)
        }
    }

    // MARK: Data

    /// §7.7.3: two columns at a time from the right, alternately upwards and downwards, around the vertical timing line.
    private mutating func placeData(_ codewords: [UInt8]) {
        var index = 0
        var upwards = true
        var right = self.size - 1
        while right >= 1 {
            if right == 6 { right = 5 }
            for step in 0..<self.size {
                let row = upwards ? self.size - 1 - step : step
                for column in [right, right - 1] where !self.reserved[row * self.size + column] {
                    guard index < codewords.count * 8 else { continue }  // remainder bits stay light
                    self.modules[row * self.size + column] = codewords[index / 8] >> UInt8(7 - index % 8) & 1 == 1
                    index += 1
                }
            }
            upwards.toggle()
            right -= 2
        }
    }

    /// Table 10.
    private mutating func apply(mask: Int) {
        for row in 0..<self.size {
            for column in 0..<self.size where !self.reserved[row * self.size + column] {
                let flip =
                    switch mask {
                    case 0: (row + column) % 2 == 0
                    case 1: row % 2 == 0
                    case 2: column % 3 == 0
                    case 3: (row + column) % 3 == 0
                    case 4: (row / 2 + column / 3) % 2 == 0
                    case 5: row * column % 2 + row * column % 3 == 0
                    case 6: (row * column % 2 + row * column % 3) % 2 == 0
                    default: ((row + column) % 2 + row * column % 3) % 2 == 0
                    }
                if flip { self.modules[row * self.size + column].toggle() }
            }
        }
    }

    /// §7.8.3.1: lower reads better.
    private var penalty: Int {
        var result = 0
        var dark = 0
        for line in 0..<self.size {
            result += self.linePenalty { self.modules[line * self.size + $0] }
            result += self.linePenalty { self.modules[$0 * self.size + line] }
        }
        for row in 0..<self.size {
            for column in 0..<self.size {
                let module = self.modules[row * self.size + column]
                if module { dark += 1 }
                guard row + 1 < self.size, column + 1 < self.size else { continue }
                if module == self.modules[row * self.size + column + 1],
                    module == self.modules[(row + 1) * self.size + column],
                    module == self.modules[(row + 1) * self.size + column + 1]
                {
                    result += 3
                }
            }
        }
        let total = self.size * self.size
        return result + abs(dark * 20 - total * 10) / total * 10
    }

    /// Runs of five and more, and patterns that look like a finder.
    private func linePenalty(_ module: (Int) -> Bool) -> Int {
        var result = 0
        var run = 0
        var window = 0
        for index in 0..<self.size {
            let dark = module(index)
            if index > 0, dark == module(index - 1) { run += 1 } else { run = 1 }
            if run == 5 { result += 3 } else if run > 5 { result += 1 }
            window = (window << 1 | (dark ? 1 : 0)) & 0x7FF
            if index >= 10, window == 0b101_1101_0000 || window == 0b000_0101_1101 { result += 40 }
        }
        return result
    }
}
