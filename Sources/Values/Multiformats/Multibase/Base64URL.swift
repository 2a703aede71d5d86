/// RFC 4648 §5, without padding or prefix.
public enum Base64URL {
    private static let base = BitGroupBase(
        alphabet: DigitAlphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), width: 6)

    public static func encode(_ bytes: some Collection<UInt8>) -> String { Self.base.encode(bytes) }

    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] { try Self.base.decode(text[...]) }
}
