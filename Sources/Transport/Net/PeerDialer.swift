public import DIGIdentity
public import DIGMultiformats

/// What services open connections with. The swarm conforms.
public protocol PeerDialer: Sendable {
    var localPeer: PeerID { get }

    /// The open connection to `peer` on which new streams should be opened.
    func connection(to peer: PeerID) -> (any Connection)?

    /// Connects to `peer`, or returns an open connection that satisfies `options`. Cancelling stops it unless others wait for it.
    ///
    /// - Throws: ``ConnectionError`` with `.allAttemptsFailed`, whose cause names each address; `.closed`; `CancellationError`.
    func connect(to peer: PeerID, addresses: [Multiaddr], options: DialOptions) async throws -> any Connection
}
