import DIGMultiformats

/// The name of an Ethereum account: twenty bytes (yellow paper, appendix F), written with the checksum of EIP-55.
public struct EthereumAddress: Hashable, Sendable {
    public static let byteCount = 20

    public let bytes: [UInt8]

    /// - Returns: `nil` unless there are twenty bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = Array(bytes)
    }

    /// The account that belongs to a secp256k1 key; `nil` for keys of other algorithms.
    public init?(_ publicKey: PublicKey) {
        guard publicKey.algorithm == .secp256k1, let uncompressed = Secp256k1.uncompress(publicKey.rawRepresentation) else { return nil }
        // The last twenty bytes of the Keccak-256 of both coordinates.
        self.bytes = Keccak256.hash(uncompressed.dropFirst()).suffix(Self.byteCount)
    }
}

extension EthereumAddress: LosslessStringConvertible {
    /// Parses forty hexadecimal digits, with or without `0x`.
    ///
    /// - Returns: `nil` also for letters of both cases that are not the checksum's (EIP-55): something was mistyped.
    public init?(_ description: String) {
        // A checksum is in the letters' case, so the decoder gets them in lower case and the text is compared afterwards.
        let digits = description.hasPrefix("0x") || description.hasPrefix("0X") ? String(description.dropFirst(2)) : description
        guard digits.utf8.count == 2 * Self.byteCount, let bytes = HexadecimalText.bytes(digits), let address = Self(bytes: bytes) else {
            return nil
        }
        let isUnchecked = digits == digits.lowercased() || digits == digits.uppercased()
        guard isUnchecked || address.description.dropFirst(2) == digits else { return nil }
        self = address
    }

    /// `0x` and forty digits. EIP-55: a letter is upper case if the digit of the same place in the hash of the lower-case text is 8 or more.
    public var description: String {
        let digits = Array(Base16.encode(self.bytes).utf8)
        let hash = Array(Base16.encode(Keccak256.hash(digits)).utf8)
        let text = zip(digits, hash).map { digit, hashDigit in
            let isLetter = digit >= UInt8(ascii: "a")
            return isLetter && hashDigit >= UInt8(ascii: "8") ? digit - 0x20 : digit
        }
        return "0x" + String(decoding: text, as: UTF8.self)
    }
}
