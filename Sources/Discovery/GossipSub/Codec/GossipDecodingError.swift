/// Why bytes are no RPC.
enum GossipDecodingError: Error, Hashable {
    /// It ends in the middle of a field.
    case truncated
    /// A number of more than ten bytes or 64 bits.
    case invalidVarint
    /// A field without a number, of a kind that protobuf does not have, or of another kind than its number says.
    case invalidField
    /// A topic that is no UTF-8.
    case invalidText
}
