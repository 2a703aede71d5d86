/// Bytes that are not an unsigned varint.
public enum VarintError: Error, Hashable, Sendable {
    /// The bytes end before the last byte of the number. More may follow.
    case truncated
    /// The number could be written with fewer bytes.
    case overlong
    /// More than nine bytes: the number does not fit in 63 bits.
    case overflow
}
