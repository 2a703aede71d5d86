/// The text as data bits, before padding (ISO/IEC 18004 §7.4).
struct QRSegment {
    private enum Mode {
        case alphanumeric([UInt8])
        case bytes([UInt8])
    }
    private let mode: Mode

    /// Table 5: the value of a character is its position.
    private static let alphanumericSet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".utf8)

    init(_ text: String) {
        var values: [UInt8] = []
        for byte in text.utf8 {
            guard let value = Self.alphanumericSet.firstIndex(of: byte) else {
                self.mode = .bytes(Array(text.utf8))
                return
            }
            values.append(UInt8(value))
        }
        self.mode = .alphanumeric(values)
    }

    /// Bits with mode indicator and character count.
    func bitCount(version: Int) -> Int {
        switch self.mode {
        case .alphanumeric(let values): 4 + Self.alphanumericCountBits(version) + values.count / 2 * 11 + values.count % 2 * 6
        case .bytes(let bytes): 4 + Self.byteCountBits(version) + bytes.count * 8
        }
    }

    func write(to bits: inout QRBits, version: Int) {
        switch self.mode {
        case .alphanumeric(let values):
            bits.append(0b0010, count: 4)
            bits.append(values.count, count: Self.alphanumericCountBits(version))
            var index = 0
            while index + 1 < values.count {
                bits.append(Int(values[index]) * 45 + Int(values[index + 1]), count: 11)
                index += 2
            }
            if index < values.count { bits.append(Int(values[index]), count: 6) }
        case .bytes(let bytes):
            bits.append(0b0100, count: 4)
            bits.append(bytes.count, count: Self.byteCountBits(version))
            for byte in bytes { bits.append(Int(byte), count: 8) }
        }
    }

    // Table 3.
    private static func alphanumericCountBits(_ version: Int) -> Int { version < 10 ? 9 : version < 27 ? 11 : 13 }
    private static func byteCountBits(_ version: Int) -> Int { version < 10 ? 8 : 16 }
}

/// Bits in the order in which they are placed, most significant first.
struct QRBits {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0

    mutating func append(_ value: Int, count: Int) {
        for shift in stride(from: count - 1, through: 0, by: -1) {
            if self.count % 8 == 0 { self.bytes.append(0) }
            if value >> shift & 1 == 1 { self.bytes[self.count / 8] |= 0x80 >> UInt8(self.count % 8) }
            self.count += 1
        }
    }
}
