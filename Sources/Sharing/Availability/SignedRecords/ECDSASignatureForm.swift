/// The two forms of an ECDSA signature on a curve of 256 bits: r‖s in 64 bytes, and the DER of RFC 3279 §2.2.3.
enum ECDSASignatureForm {
    private static let numberByteCount = 32

    /// `nil` unless there are 64 bytes.
    static func der(compact: [UInt8]) -> [UInt8]? {
        guard compact.count == 2 * Self.numberByteCount else { return nil }
        let body = Self.integer(compact.prefix(Self.numberByteCount)) + Self.integer(compact.suffix(Self.numberByteCount))
        return [0x30, UInt8(body.count)] + body
    }

    private static func integer(_ number: ArraySlice<UInt8>) -> [UInt8] {
        var bytes = Array(number.drop { $0 == 0 })
        // DER integers are signed; zero has one byte.
        if (bytes.first ?? 0x80) >= 0x80 { bytes.insert(0, at: 0) }
        return [0x02, UInt8(bytes.count)] + bytes
    }

    /// `nil` unless it is the DER of two numbers of 256 bits.
    static func compact(der: [UInt8]) -> [UInt8]? {
        guard der.count >= 8, der[0] == 0x30, Int(der[1]) == der.count - 2 else { return nil }
        var position = 2
        var result: [UInt8] = []
        for _ in 0..<2 {
            guard position + 2 <= der.count, der[position] == 0x02 else { return nil }
            let count = Int(der[position + 1])
            let end = position + 2 + count
            guard count > 0, end <= der.count else { return nil }
            let number = der[(position + 2)..<end].drop { $0 == 0 }
            guard number.count <= Self.numberByteCount else { return nil }
            result += [UInt8](repeating: 0, count: Self.numberByteCount - number.count) + number
            position = end
        }
        return position == der.count ? result : nil
    }
}
