/// Bytes that are no PCP response.
enum PCPDecodingError: Error, Hashable {
    case truncated(expected: Int, actual: Int)
    /// RFC 6887 §7: more than 1100 bytes, or not a multiple of four.
    case invalidLength(Int)
    case unsupportedVersion(UInt8)
    case notAResponse
    case unexpectedOpcode(UInt8)
    case unexpectedProtocol(UInt8)
}
