/// Why bytes are not JSON that is read here. The offset is in bytes.
enum GunJSONError: Error, Hashable, Sendable {
    case unexpectedEnd
    case unexpectedByte(offset: Int)
    case malformedNumber(offset: Int)
    case malformedString(offset: Int)
    /// Half of a surrogate pair, for which there is no UTF-8.
    case loneSurrogate(offset: Int)
    case trailingBytes(offset: Int)
    case tooDeep
    case tooManyValues
    case stringTooLong
}
