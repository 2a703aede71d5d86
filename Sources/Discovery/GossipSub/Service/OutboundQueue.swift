import DequeModule
import DIGIdentity
import OrderedCollections

/// What waits to be sent to one peer.
///
/// Subscriptions, GRAFT and PRUNE are kept by topic, the last word of each, so they need no other bound than the topics there are. Messages and
/// gossip have one; when it is reached gossip goes first, then the message that came last.
struct OutboundQueue: Sendable {
    struct Dropped: Hashable {
        var messages = 0
        var gossip = 0
    }

    /// Something of an RPC that stands for itself.
    private enum Mesh {
        case graft
        case prune(GossipRPC.Prune)
    }

    private let maximumByteCount: Int
    private let maximumMessages: Int
    private var subscriptions: OrderedDictionary<String, Bool> = [:]
    private var mesh: OrderedDictionary<String, Mesh> = [:]
    private var messages: Deque<GossipMessage> = []
    private var ihave: OrderedDictionary<String, [GossipMessageID]> = [:]
    private var iwant: [GossipMessageID] = []
    private var messageByteCount = 0
    private var gossipByteCount = 0

    init(maximumByteCount: Int, maximumMessages: Int) {
        self.maximumByteCount = maximumByteCount
        self.maximumMessages = maximumMessages
    }

    var byteCount: Int { self.messageByteCount + self.gossipByteCount }
    var isEmpty: Bool {
        self.subscriptions.isEmpty && self.mesh.isEmpty && self.messages.isEmpty && self.ihave.isEmpty && self.iwant.isEmpty
    }

    private static func cost(_ ids: [GossipMessageID]) -> Int { ids.reduce(0) { $0 + $1.bytes.count + 4 } }

    mutating func push(_ rpc: GossipRPC) -> Dropped {
        var dropped = Dropped()
        for subscription in rpc.subscriptions { self.subscriptions[subscription.topic] = subscription.isSubscribed }
        for topic in rpc.graft { self.mesh[topic] = .graft }
        for prune in rpc.prune { self.mesh[prune.topic] = .prune(prune) }
        for message in rpc.messages {
            if self.byteCount + message.byteCount > self.maximumByteCount { self.dropGossip(&dropped) }
            guard self.byteCount + message.byteCount <= self.maximumByteCount, self.messages.count < self.maximumMessages else {
                dropped.messages += 1
                continue
            }
            self.messages.append(message)
            self.messageByteCount += message.byteCount
        }
        for ihave in rpc.ihave where !ihave.ids.isEmpty {
            // Of a topic the last offer counts: it tells about the same heartbeats.
            if let old = self.ihave.removeValue(forKey: ihave.topic) {
                self.gossipByteCount -= Self.cost(old)
                dropped.gossip += old.count
            }
            guard self.byteCount + Self.cost(ihave.ids) <= self.maximumByteCount else {
                dropped.gossip += ihave.ids.count
                continue
            }
            self.ihave[ihave.topic] = ihave.ids
            self.gossipByteCount += Self.cost(ihave.ids)
        }
        if !rpc.iwant.isEmpty {
            if self.byteCount + Self.cost(rpc.iwant) <= self.maximumByteCount, self.iwant.count + rpc.iwant.count <= 2 * GossipLimits.maximumMessageIDs {
                self.iwant += rpc.iwant
                self.gossipByteCount += Self.cost(rpc.iwant)
            } else {
                dropped.gossip += rpc.iwant.count
            }
        }
        return dropped
    }

    private mutating func dropGossip(_ dropped: inout Dropped) {
        dropped.gossip += self.iwant.count + self.ihave.values.reduce(0) { $0 + $1.count }
        (self.ihave, self.iwant, self.gossipByteCount) = ([:], [], 0)
    }

    /// The next RPC, shorter than ``GossipLimits/maximumRPCByteCount`` and with no more in it than is read of one. Nil if nothing waits.
    mutating func pop() -> GossipRPC? {
        guard !self.isEmpty else { return nil }
        var rpc = GossipRPC()
        var room = GossipLimits.maximumRPCByteCount - 1024
        func fits(_ count: Int) -> Bool {
            guard count <= room else { return false }
            room -= count
            return true
        }
        while rpc.subscriptions.count < GossipLimits.maximumSubscriptions, let (topic, isSubscribed) = self.subscriptions.elements.first,
            fits(topic.utf8.count + 16)
        {
            self.subscriptions.removeFirst()
            rpc.subscriptions.append(.init(topic: topic, isSubscribed: isSubscribed))
        }
        while rpc.graft.count < GossipLimits.maximumGrafts, rpc.prune.count < GossipLimits.maximumPrunes, let (topic, change) = self.mesh.elements.first {
            switch change {
            case .graft:
                guard fits(topic.utf8.count + 16) else { return rpc }
                rpc.graft.append(topic)
            case .prune(let prune):
                guard fits(topic.utf8.count + 32 + prune.peers.reduce(0) { $0 + $1.peer.bytes.count + ($1.record?.count ?? 0) + 16 }) else { return rpc }
                rpc.prune.append(prune)
            }
            self.mesh.removeFirst()
        }
        while rpc.messages.count < GossipLimits.maximumMessages, let message = self.messages.first, fits(message.byteCount) {
            self.messages.removeFirst()
            self.messageByteCount -= message.byteCount
            rpc.messages.append(message)
        }
        // After all messages, and in whole offers: 5,000 names of a hundred bytes and more take half an RPC.
        guard self.messages.isEmpty else { return rpc }
        var names = 0
        while let (topic, ids) = self.ihave.elements.first {
            let part = Array(ids.prefix(GossipLimits.maximumMessageIDs - names))
            guard !part.isEmpty, rpc.ihave.count < GossipLimits.maximumIHave, fits(Self.cost(part) + topic.utf8.count + 16) else { return rpc }
            names += part.count
            rpc.ihave.append(.init(topic: topic, ids: part))
            self.gossipByteCount -= Self.cost(ids)
            self.ihave.removeFirst()
        }
        while !self.iwant.isEmpty {
            let part = Array(self.iwant.prefix(GossipLimits.maximumMessageIDs - rpc.iwant.count))
            guard !part.isEmpty, fits(Self.cost(part) + 16) else { return rpc }
            rpc.iwant += part
            self.iwant.removeFirst(part.count)
            self.gossipByteCount -= Self.cost(part)
        }
        return rpc
    }
}
