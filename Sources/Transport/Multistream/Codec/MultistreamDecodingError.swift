/// Why bytes are not a multistream-select message.
enum MultistreamDecodingError: Error, Hashable, Sendable {
    /// The length prefix is zero, over the limit, or no varint.
    case invalidLength
    /// The message does not end with a newline.
    case missingNewline
    /// The message is empty, or its bytes are not UTF-8.
    case invalidText
}
