/// Why a text is not a message.
enum GunCodecError: Error, Hashable, Sendable {
    case notJSON(GunJSONError)
    /// Neither an object nor an array of objects.
    case notAMessage
    case tooManyMessages
    /// A field of the wrong kind, out of range or too long.
    case malformed(Field)

    enum Field: String, Hashable, Sendable {
        case id, answers, neighbours, put, node, get, err, dam, pid, ok, more, hash
    }
}
