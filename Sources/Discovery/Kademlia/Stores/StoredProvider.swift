import DIGIdentity
import DIGMultiformats

/// A provider of a key, as it is kept for others.
struct StoredProvider: Hashable, Sendable {
    var provider: PeerID
    var addresses: [Multiaddr]
    /// The encoded envelope of a ``ProviderStatement``; nil if it came unsigned.
    var statement: [UInt8]?
    /// That of the statement; 0 without.
    var sequence: UInt64
    var expiresAt: ContinuousClock.Instant
}
