/// A base that text starts with the name of (<https://github.com/multiformats/multibase>).
public enum Multibase: Hashable, Sendable, CaseIterable {
    /// Lower-case hexadecimal, `f`.
    case base16
    /// RFC 4648 §6, lower case, no padding, `b`.
    case base32
    /// RFC 4648 §6, upper case, no padding, `B`.
    case base32upper
    /// Digits and lower-case letters, `k`.
    case base36
    /// Bitcoin's alphabet, `z`.
    case base58btc
    /// RFC 4648 §5, no padding, `u`.
    case base64url

    public var prefix: Character {
        switch self {
        case .base16: "f"
        case .base32: "b"
        case .base32upper: "B"
        case .base36: "k"
        case .base58btc: "z"
        case .base64url: "u"
        }
    }

    /// Decodes text that starts with a base's prefix. Strict: one text for each byte string and base.
    public static func decode(_ text: String) throws(MultibaseError) -> (base: Multibase, bytes: [UInt8]) {
        guard let prefix = text.first else { throw .empty }
        guard let base = Self.allCases.first(where: { $0.prefix == prefix }) else { throw .unknownPrefix(prefix) }
        let digits = String(text.dropFirst())
        switch base {
        case .base16: return (base, try Base16.decode(digits))
        case .base32: return (base, try Base32.decode(digits))
        case .base32upper: return (base, try Base32.upper.decode(digits[...]))
        case .base36: return (base, try Base36.decode(digits))
        case .base58btc: return (base, try Base58BTC.decode(digits))
        case .base64url: return (base, try Base64URL.decode(digits))
        }
    }

    /// Encodes `bytes`, with the prefix.
    public func encode(_ bytes: some Collection<UInt8>) -> String {
        let digits =
            switch self {
            case .base16: Base16.encode(bytes)
            case .base32: Base32.encode(bytes)
            case .base32upper: Base32.upper.encode(bytes)
            case .base36: Base36.encode(bytes)
            case .base58btc: Base58BTC.encode(bytes)
            case .base64url: Base64URL.encode(bytes)
            }
        return String(self.prefix) + digits
    }
}
