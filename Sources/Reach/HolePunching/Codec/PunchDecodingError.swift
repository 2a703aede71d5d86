/// Why bytes are no message of hole punching.
enum PunchDecodingError: Error, Hashable, CustomStringConvertible {
    case tooLong(byteCount: Int)
    /// No protobuf message.
    case malformed
    /// Neither CONNECT nor SYNC.
    case unknownKind
    case tooManyAddresses(Int)

    var description: String {
        switch self {
        case .tooLong(let count): "a message of \(count) bytes, over \(PunchMessage.maximumByteCount)"
        case .malformed: "bytes that are no message"
        case .unknownKind: "a message that is neither CONNECT nor SYNC"
        case .tooManyAddresses(let count): "a message with \(count) addresses, over \(PunchMessage.maximumAddressCount)"
        }
    }
}
