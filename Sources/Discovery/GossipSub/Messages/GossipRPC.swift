import DIGIdentity

/// What peers send each other: any number of everything (pubsub specification, "The RPC"; gossipsub v1.0, "Protobuf").
struct GossipRPC: Hashable, Sendable {
    struct Subscription: Hashable, Sendable {
        var topic: String
        var isSubscribed: Bool
    }

    /// Messages that the sender has.
    struct IHave: Hashable, Sendable {
        var topic: String
        var ids: [GossipMessageID]
    }

    struct Prune: Hashable, Sendable {
        var topic: String
        /// How long not to graft again. Nil from v1.0.
        var backoffSeconds: UInt64?
        /// Others to graft instead.
        var peers: [ExchangedPeer] = []
    }

    struct ExchangedPeer: Hashable, Sendable {
        var peer: PeerID
        /// An envelope with a peer record, as it came.
        var record: [UInt8]?
    }

    var subscriptions: [Subscription] = []
    var messages: [GossipMessage] = []
    var ihave: [IHave] = []
    var iwant: [GossipMessageID] = []
    var graft: [String] = []
    var prune: [Prune] = []

    /// Received only: the topics of messages that are unsigned, of nobody, or otherwise not to be had.
    var brokenMessageTopics: [String] = []
    /// Received only: what was beyond ``GossipLimits`` and is left out.
    var excessCount = 0

    var isEmpty: Bool {
        self.subscriptions.isEmpty && self.messages.isEmpty && self.ihave.isEmpty && self.iwant.isEmpty && self.graft.isEmpty && self.prune.isEmpty
    }
}
