public import DIGIdentity

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What a host has accepted.
public struct AccessGrant: Hashable, Sendable {
    public var host: PeerID
    /// The key that was proven; nil if none was shown.
    public var identity: PeerID?
    /// It is on the host's list.
    public var isTrusted: Bool
    public var isMember: Bool
    /// The tokens that count.
    public var tokens: [AccessTokenID]
    /// When the first of the tokens ends, by the host's clock. Nil: nothing ends before the connection.
    public var expires: Date?
}
