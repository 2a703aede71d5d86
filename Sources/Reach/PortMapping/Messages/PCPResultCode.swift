/// RFC 6887 §7.4.
enum PCPResultCode: UInt8, Hashable, Sendable {
    case success = 0
    case unsupportedVersion = 1
    case notAuthorized = 2
    case malformedRequest = 3
    case unsupportedOpcode = 4
    case unsupportedOption = 5
    case malformedOption = 6
    case networkFailure = 7
    case noResources = 8
    case unsupportedProtocol = 9
    case userExceededQuota = 10
    case cannotProvideExternal = 11
    case addressMismatch = 12
    case excessiveRemotePeers = 13
}
