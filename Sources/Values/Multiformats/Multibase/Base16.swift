/// Lower-case hexadecimal without a prefix.
public enum Base16 {
    private static let base = BitGroupBase(alphabet: DigitAlphabet("0123456789abcdef"), width: 4)

    public static func encode(_ bytes: some Collection<UInt8>) -> String { Self.base.encode(bytes) }

    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] { try Self.base.decode(text[...]) }
}
