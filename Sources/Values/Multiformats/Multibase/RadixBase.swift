/// A base that writes the whole byte string as one number: base36 and base58. Leading zero bytes are leading zero digits.
///
/// Both directions take time quadratic in the length, so text is bounded by ``maximumDigitCount``.
struct RadixBase: Sendable {
    /// Ours. Longest use is a multihash of 128 bytes; a peer id takes 60 digits.
    static let maximumDigitCount = 512

    let alphabet: DigitAlphabet

    func encode(_ bytes: some Collection<UInt8>) -> String {
        let radix = UInt32(self.alphabet.digits.count)
        let zeroCount = bytes.prefix { $0 == 0 }.count
        var values: [UInt8] = []  // least significant first
        for byte in bytes.dropFirst(zeroCount) {
            var carry = UInt32(byte)
            for index in values.indices {
                carry += UInt32(values[index]) << 8
                values[index] = UInt8(truncatingIfNeeded: carry % radix)
                carry /= radix
            }
            while carry > 0 {
                values.append(UInt8(truncatingIfNeeded: carry % radix))
                carry /= radix
            }
        }
        var digits = [UInt8](repeating: self.alphabet.digits[0], count: zeroCount)
        for value in values.reversed() { digits.append(self.alphabet.digits[Int(value)]) }
        return String(decoding: digits, as: UTF8.self)
    }

    func decode(_ text: Substring) throws(MultibaseError) -> [UInt8] {
        guard text.utf8.count <= Self.maximumDigitCount else { throw .tooLong }
        let radix = UInt32(self.alphabet.digits.count)
        var zeroCount = 0
        var bytes: [UInt8] = []  // least significant first
        var offset = 0
        for character in text.utf8 {
            guard let value = self.alphabet.value(of: character) else { throw .invalidCharacter(offset: offset) }
            offset += 1
            if value == 0, bytes.isEmpty {
                zeroCount += 1
                continue
            }
            var carry = UInt32(value)
            for index in bytes.indices {
                carry += UInt32(bytes[index]) * radix
                bytes[index] = UInt8(truncatingIfNeeded: carry)
                carry >>= 8
            }
            while carry > 0 {
                bytes.append(UInt8(truncatingIfNeeded: carry))
                carry >>= 8
            }
        }
        return [UInt8](repeating: 0, count: zeroCount) + bytes.reversed()
    }
}
