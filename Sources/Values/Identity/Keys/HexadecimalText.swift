import DIGMultiformats

/// Hexadecimal as wallets write it: either case, with or without `0x`.
enum HexadecimalText {
    static func bytes(_ text: String) -> [UInt8]? {
        let digits = text.hasPrefix("0x") || text.hasPrefix("0X") ? String(text.dropFirst(2)) : text
        do throws(MultibaseError) { return try Base16.decode(digits.lowercased()) } catch { return nil }
    }
}
