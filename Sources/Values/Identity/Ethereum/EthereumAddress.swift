import DIGMultiformats

/// The name of an Ethereum account (yellow paper, appendix F; EIP-55).
enum EthereumAddress {
    /// The last twenty bytes of the Keccak-256 of both coordinates, with the checksum in the case of the letters.
    ///
    /// - Parameter key: 65 bytes, the first of which is 4.
    static func text(ofUncompressedKey key: [UInt8]) -> String {
        Self.checksummed(Keccak256.hash(key.dropFirst()).suffix(20))
    }

    /// EIP-55: a letter is upper case if the digit of the same place in the hash of the lower-case text is 8 or more.
    static func checksummed(_ address: some Collection<UInt8>) -> String {
        let digits = Array(Base16.encode(address).utf8)
        let hash = Array(Base16.encode(Keccak256.hash(digits)).utf8)
        let text = zip(digits, hash).map { digit, hashDigit in
            let isLetter = digit >= UInt8(ascii: "a")
            return isLetter && hashDigit >= UInt8(ascii: "8") ? digit - 0x20 : digit
        }
        return "0x" + String(decoding: text, as: UTF8.self)
    }
}
