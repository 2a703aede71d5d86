/// What a score has to be (gossipsub v1.1, "Score Thresholds"). Below 0 a peer is in no mesh.
public struct PeerScoreThresholds: Hashable, Sendable {
    /// Below, no gossip is sent, and none is believed. One invalid message, with the default weights.
    public var gossip = -100.0
    /// Below, this node's own messages are not sent.
    public var publish = -400.0
    /// Below, nothing of the peer is looked at. Four invalid messages, with the default weights.
    public var graylist = -1000.0
    /// From here on the addresses of others in a PRUNE are dialed. With the default weights only the application can give so much.
    public var acceptPeerExchange = 100.0
    /// While half of a mesh is below, better peers are sought.
    public var opportunisticGraft = 1.0

    public init() {}

    var isValid: Bool {
        self.gossip < 0 && self.publish <= self.gossip && self.graylist < self.publish && self.acceptPeerExchange >= 0 && self.opportunisticGraft >= 0
    }
}
