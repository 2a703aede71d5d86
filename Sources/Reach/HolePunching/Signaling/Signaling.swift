public import DIGIdentity

/// A way for two peers that have no connection to pass each other small messages: a mailbox in a DHT, a graph database, a server, memory.
///
/// It moves envelopes and believes nothing: those who talk sign, number and date what they say (``SignalingMessage``), so a backend may lose,
/// delay, reorder and repeat. What it may not do is let strangers **read**: a punch tells where a peer is. A backend that others can look into
/// seals the encoded envelope for the recipient before it leaves and opens it on arrival; how depends on what the backend knows about keys.
/// One that runs inside an authenticated connection has nothing to add.
///
/// The relayed connection of DCUtR needs no backend: see ``HolePuncher``.
public protocol Signaling: Sendable {
    /// For records and people: `memory`, `gun`, `dht`.
    var name: String { get }

    /// What a message takes on top of a round trip through the network, as where mailboxes are looked into every few seconds. Peers wait longer
    /// for each other by that.
    var typicalDelay: Duration { get }

    /// Hands `envelope` over. Returning says nothing about its arrival.
    func send(_ envelope: SignedEnvelope, to peer: PeerID) async throws

    /// What arrives for this node from now on, for one reader; every reader gets everything. Bounded: the oldest are dropped. Ends when
    /// the backend does.
    func envelopes() -> AsyncStream<SignedEnvelope>
}

extension Signaling {
    public var typicalDelay: Duration { .zero }
}
