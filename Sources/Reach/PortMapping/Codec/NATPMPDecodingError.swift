/// Bytes that are no NAT-PMP response.
enum NATPMPDecodingError: Error, Hashable {
    case truncated(expected: Int, actual: Int)
    case unsupportedVersion(UInt8)
    case unexpectedOpcode(UInt8)
}
