import DIGIdentity
import DIGMultiformats

/// A peer's signed word that it has what a key stands for: nobody else can name it as a provider, make it out to be somewhere else, or keep it
/// on the list for longer than it said.
struct ProviderStatement: Hashable, Sendable {
    static let domain = "dig-provider-record"
    static let payloadType = Array("/dig/provider/1.0.0".utf8)
    static let maximumAddressCount = 16

    var provider: PeerID
    var key: [UInt8]
    /// Of two statements of a peer about one key, the one with the higher number counts.
    var sequence: UInt64
    /// Unix time.
    var expiresAtMilliseconds: UInt64
    var addresses: [Multiaddr]
    /// It no longer has it.
    var isWithdrawn = false
}
