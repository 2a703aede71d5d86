/// A base whose digits are groups of bits: 4 (base16), 5 (base32) or 6 (base64), most significant first, no padding.
struct BitGroupBase: Sendable {
    let alphabet: DigitAlphabet
    /// Bits in a digit.
    let width: Int

    func encode(_ bytes: some Collection<UInt8>) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity((bytes.count * 8 + self.width - 1) / self.width)
        var accumulator: UInt32 = 0
        var bitCount = 0
        for byte in bytes {
            accumulator = (accumulator << 8 | UInt32(byte)) & 0xffff
            bitCount += 8
            while bitCount >= self.width {
                bitCount -= self.width
                digits.append(self.alphabet.digits[Int(accumulator >> UInt32(bitCount)) & self.mask])
            }
        }
        if bitCount > 0 {
            digits.append(self.alphabet.digits[Int(accumulator << UInt32(self.width - bitCount)) & self.mask])
        }
        return String(decoding: digits, as: UTF8.self)
    }

    func decode(_ text: Substring) throws(MultibaseError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count * self.width / 8)
        var accumulator: UInt32 = 0
        var bitCount = 0
        var offset = 0
        for character in text.utf8 {
            guard let value = self.alphabet.value(of: character) else { throw .invalidCharacter(offset: offset) }
            accumulator = (accumulator << UInt32(self.width) | UInt32(value)) & 0xffff
            bitCount += self.width
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: accumulator >> UInt32(bitCount)))
            }
            offset += 1
        }
        // A whole unused digit means that the length is one no encoder makes.
        guard bitCount < self.width else { throw .invalidLength }
        guard accumulator & ((1 << UInt32(bitCount)) - 1) == 0 else { throw .nonZeroPadding }
        return bytes
    }

    private var mask: Int { (1 << self.width) - 1 }
}
