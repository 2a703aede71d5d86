/// Bytes that are not a multihash.
public enum MultihashError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The function's code or the length is no varint.
    case invalidVarint(VarintError)
    /// The digest is longer than ``Multihash/maximumDigestByteCount``.
    case digestTooLong(byteCount: UInt64)
    /// The length says `expected` bytes, `actual` follow.
    case lengthMismatch(expected: Int, actual: Int)

    public var description: String {
        switch self {
        case .invalidVarint(let error): "not a multihash: the varint is \(error)"
        case .digestTooLong(let byteCount): "a digest of \(byteCount) bytes is too long"
        case .lengthMismatch(let expected, let actual): "the multihash says \(expected) bytes of digest, \(actual) follow"
        }
    }
}
