/// Why bytes are no message of the DHT.
enum KademliaDecodingError: Error, Hashable {
    case malformed
    case unknownKind(Int)
    case keyTooLong(Int)
    case valueTooLong(Int)
}
