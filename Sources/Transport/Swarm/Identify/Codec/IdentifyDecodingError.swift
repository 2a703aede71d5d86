/// Bytes that are no identify message.
enum IdentifyDecodingError: Error, Hashable {
    /// Longer than ``IdentifyCodec/maximumByteCount``.
    case tooLong
    /// A message ends before its stated length, or its length is no varint.
    case truncated
    /// The fields are no protobuf of this kind.
    case malformed
}
