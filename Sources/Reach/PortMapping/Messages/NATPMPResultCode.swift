/// RFC 6886 §3.5.
enum NATPMPResultCode: UInt16, Hashable, Sendable {
    case success = 0
    case unsupportedVersion = 1
    case notAuthorized = 2
    case networkFailure = 3
    case outOfResources = 4
    case unsupportedOpcode = 5
}
