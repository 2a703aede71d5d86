/// An unsigned LEB128 number of at most 63 bits, as <https://github.com/multiformats/unsigned-varint> defines it.
package enum UnsignedVarint {
    /// unsigned-varint, "Practical maximum of 9 bytes (for security)".
    package static let maximumByteCount = 9

    /// Decodes the number at the start of `bytes` and says how many bytes it takes.
    package static func decode(_ bytes: some Sequence<UInt8>) throws(VarintError) -> (value: UInt64, byteCount: Int) {
        var value: UInt64 = 0
        var byteCount = 0
        for byte in bytes {
            // 0 ≤ byteCount ≤ 8, so the shift is at most 56 and the seven bits always fit.
            value |= UInt64(byte & 0x7f) << UInt64(7 * byteCount)
            byteCount += 1
            if byte & 0x80 == 0 {
                if byte == 0, byteCount > 1 { throw .overlong }
                return (value, byteCount)
            }
            if byteCount == Self.maximumByteCount { throw .overflow }
        }
        throw .truncated
    }

    /// Appends `value` in minimal form.
    package static func encode(_ value: UInt64, into bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}
