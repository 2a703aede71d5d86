/// Digits and lower-case letters, without a prefix.
public enum Base36 {
    private static let base = RadixBase(alphabet: DigitAlphabet("0123456789abcdefghijklmnopqrstuvwxyz"))

    public static func encode(_ bytes: some Collection<UInt8>) -> String { Self.base.encode(bytes) }

    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] { try Self.base.decode(text[...]) }
}
