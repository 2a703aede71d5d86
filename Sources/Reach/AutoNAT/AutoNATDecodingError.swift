/// Bytes that are no AutoNAT message.
enum AutoNATDecodingError: Error, Hashable {
    /// The fields are no protobuf of this kind.
    case malformed
    /// A field that the message can't do without is not there.
    case missingField
    /// A number that means nothing, such as a status that no specification knows.
    case valueOutOfRange
    /// More addresses than a message may have.
    case tooManyAddresses
}
