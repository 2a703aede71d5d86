import DIGContent
import DIGIdentity

/// Step 1: "I want to connect, I am …".
struct AccessHello: Hashable, Sendable {
    /// The peer of the connection.
    var peer: PeerID
    /// What the verdict is to be about.
    var content: ContentHash?
    /// 32 bytes: the members among whom the client is.
    var ringDigest: [UInt8]?
}
