public import DIGNet

/// Names and revisions of the protocols by which peers dial each other back (libp2p specifications, autonat).
public enum AutoNAT {
    /// Version 1, r1: asks whether the node can be reached at any of its addresses.
    public static let protocolID: ProtocolID = "/libp2p/autonat/1.0.0"
    /// Version 2, r2: asks about one address.
    public static let dialRequestProtocolID: ProtocolID = "/libp2p/autonat/2/dial-request"
    /// Version 2, r2: brings the nonce to the address asked about.
    public static let dialBackProtocolID: ProtocolID = "/libp2p/autonat/2/dial-back"

    /// Which of the two was spoken.
    public enum Version: Int, Hashable, Sendable {
        /// The answer is the server's word.
        case v1 = 1
        /// A positive answer is proven by a nonce that arrived over a new connection.
        case v2 = 2
    }
}
