/// Bytes that cannot be `/dig/transfer/1.0.0`. The stream is reset.
enum TransferWireError: Error, Hashable, Sendable {
    case unknownFrameType(UInt8)
    /// Flags, or the reserved field, are not zero.
    case reservedBitsSet
    /// A control frame with an index.
    case controlFrameWithIndex(UInt32)
    case controlTooLong(byteCount: UInt32)
    /// A chunk of no bytes, or one above the limit.
    case chunkLengthOutOfRange(byteCount: UInt32)
    /// The body of a control frame is not the protobuf message it should be.
    case malformedControl
    /// A field of a control message has a value that no correct peer sends.
    case fieldOutOfRange(field: String)
    /// The message goes the other way, or may not come on this handle.
    case unexpectedMessage
}
