import DIGIdentity
import DIGMultiformats
import DIGNet

/// What a node says about itself (libp2p identify specification). Nil or empty where it says nothing.
struct IdentifyMessage: Hashable, Sendable {
    var protocolVersion: String?
    var agentVersion: String?
    /// As encoded by the peer; must be the key that the handshake has proven.
    var publicKey: [UInt8]?
    var listenAddresses: [Multiaddr] = []
    /// The address from which the sender sees the receiver.
    var observedAddress: Multiaddr?
    /// Nil if the message does not mention protocols, so that a partial push leaves them.
    var protocols: [ProtocolID] = []
    /// A signed envelope with a peer record (RFC 0003).
    var signedPeerRecord: [UInt8]?
}
