/// Base 58 with Bitcoin's alphabet, without prefix or checksum.
public enum Base58BTC {
    /// The longest text that ``decode(_:)`` takes.
    public static let maximumDigitCount = RadixBase.maximumDigitCount

    private static let base = RadixBase(
        alphabet: DigitAlphabet("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"))

    public static func encode(_ bytes: some Collection<UInt8>) -> String { Self.base.encode(bytes) }

    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] { try Self.base.decode(text[...]) }
}
