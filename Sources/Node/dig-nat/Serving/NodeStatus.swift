import DIGCircuitRelay
import DIGCommandLine
import DIGGossipSub
import DIGGun
import DIGKademlia
import DIGNatTools
import DIGPeerExchange
import DIGSwarm
import DIGTransfer
import DIGTraversal

/// What a node that runs for long does at the moment.
struct NodeStatus: Hashable, Sendable {
    struct DHT: Hashable, Sendable {
        var name: String
        var isServer: Bool
        var nodes: Int
        var records: Int
    }

    struct Gun: Hashable, Sendable {
        var relays: Int
        var accepted: Int
        var nodes: Int
    }

    var connections = 0
    var dhts: [DHT] = []
    /// Nil: off.
    var gossipPeers: Int?
    /// Nil: off.
    var knownPeers: Int?
    /// Nil: off.
    var gun: Gun?
    var announced = 0
    var sessions = 0
    var sentByteCount: UInt64 = 0
    var reservations = 0
    var circuits = 0
    var relayedByteCount: UInt64 = 0

    init() {}

    init(of network: NetworkManager) async {
        let discovery = network.discovery
        let (host, relay) = (network.transferHost.statistics(), await network.traversal.environment.relayService)
        self.connections = network.swarm.statistics.openConnections
        self.dhts = [("dht", discovery.dht), ("public-dht", discovery.publicDHT)].compactMap { name, dht in
            dht.map { DHT(name: name, isServer: $0.mode == .server, nodes: $0.statistics.routingTableCount, records: $0.statistics.providerRecordCount) }
        }
        self.gossipPeers = discovery.gossip?.statistics.peerCount
        self.knownPeers = discovery.peerExchange?.knownPeers.count
        self.gun = discovery.gun.map { gun in
            let status = gun.status
            return Gun(relays: status.relays.count, accepted: status.acceptedCount, nodes: status.nodeCount)
        }
        self.announced = discovery.manager.statistics.announcedCount
        self.sessions = host.sessionCount
        self.sentByteCount = host.byteCount
        self.reservations = relay.reservations
        self.circuits = relay.circuits
        self.relayedByteCount = relay.bytesRelayed
    }

    var line: String {
        var parts = ["\(self.connections) connections"]
        parts += self.dhts.map { "\($0.name) \($0.isServer ? "server" : "client") with \($0.nodes) nodes, \($0.records) records" }
        if let peers = self.knownPeers { parts.append("pex knows \(peers)") }
        if let peers = self.gossipPeers { parts.append("gossip with \(peers)") }
        if let gun = self.gun { parts.append("gun with \(gun.relays + gun.accepted), \(gun.nodes) nodes of its graph") }
        parts.append("\(self.announced) announced")
        parts.append("sent \(ByteCount.text(self.sentByteCount)), \(self.sessions) sessions")
        if self.reservations > 0 || self.relayedByteCount > 0 {
            parts.append("relays for \(self.reservations), \(self.circuits) circuits, \(ByteCount.text(self.relayedByteCount))")
        }
        return parts.joined(separator: "; ")
    }

    var event: JSONObject {
        [
            "event": "status", "connections": .integer(Int64(self.connections)),
            "dht": .array(
                self.dhts.map {
                    .object([
                        "by": .string($0.name), "mode": .string($0.isServer ? "server" : "client"), "nodes": .integer(Int64($0.nodes)),
                        "providerRecords": .integer(Int64($0.records)),
                    ])
                }),
            "pexPeers": self.knownPeers.map { .integer(Int64($0)) } ?? .null, "gossipPeers": self.gossipPeers.map { .integer(Int64($0)) } ?? .null,
            "gun": self.gun.map {
                .object(["relays": .integer(Int64($0.relays)), "accepted": .integer(Int64($0.accepted)), "nodes": .integer(Int64($0.nodes))])
            } ?? .null,
            "announced": .integer(Int64(self.announced)), "sessions": .integer(Int64(self.sessions)), "bytes": .unsigned(self.sentByteCount),
            "reservations": .integer(Int64(self.reservations)), "circuits": .integer(Int64(self.circuits)), "relayedBytes": .unsigned(self.relayedByteCount),
        ]
    }
}
