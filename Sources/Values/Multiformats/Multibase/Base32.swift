/// RFC 4648 §6 in lower case, without padding or prefix.
public enum Base32 {
    private static let base = BitGroupBase(alphabet: DigitAlphabet("abcdefghijklmnopqrstuvwxyz234567"), width: 5)
    static let upper = BitGroupBase(alphabet: DigitAlphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), width: 5)

    public static func encode(_ bytes: some Collection<UInt8>) -> String { Self.base.encode(bytes) }

    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] { try Self.base.decode(text[...]) }
}
