import DIGIdentity
import DIGMultiformats

/// A question, or the answer to it: both have one form (kad-dht r2, "RPC messages").
struct KademliaMessage: Hashable, Sendable {
    enum Kind: Hashable, Sendable, CaseIterable {
        case putValue, getValue, addProvider, getProviders, findNode, ping
    }

    /// What the sender knows about reaching a peer.
    enum ConnectionType: Hashable, Sendable, CaseIterable {
        case notConnected, connected, canConnect, cannotConnect
    }

    struct Peer: Hashable, Sendable {
        var peer: PeerID
        var addresses: [Multiaddr] = []
        var connection: ConnectionType = .notConnected
        /// An encoded envelope with a ``ProviderStatement``.
        var statement: [UInt8]?
    }

    var kind: Kind
    var key: [UInt8] = []
    var record: ValueRecord?
    var closerPeers: [Peer] = []
    var providerPeers: [Peer] = []
}
