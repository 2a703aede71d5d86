import DIGCommandLine
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNatTools
import DIGNet
import DIGSwarm
import DIGTraversal

/// A connected peer, as `peers` prints it.
struct PeerRow: Hashable, Sendable {
    var peer: PeerID
    var path: ConnectionPath
    /// It has dialed this node.
    var isInbound: Bool
    var agent: String?
    /// See ``ProtocolNames``.
    var features: [String]
    var tier: ConnectionTier
    /// It says that it relays for others.
    var relays: Bool
    /// Nil: it has not answered.
    var roundTrip: Duration?

    /// How long a peer has to answer a ping.
    private static let patience: Duration = .seconds(2)

    /// Everybody who is connected, in the order of their names.
    static func all(of network: NetworkManager) async -> [PeerRow] {
        let now = WallClock.nowMilliseconds
        let capabilities = network.traversal.capabilities
        let protocolID = network.discovery.dht?.protocolID
        var rows: [PeerID: PeerRow] = [:]
        for connection in network.swarm.connections {
            let peer = connection.remotePeer
            let info = network.swarm.identify(of: peer)
            rows[peer] = PeerRow(
                peer: peer, path: network.traversal.path(of: peer) ?? ConnectionPath(method: .direct, address: connection.remoteAddress, origin: nil),
                isInbound: connection.role == .listener, agent: info?.agentVersion, features: ProtocolNames.features(info?.protocols ?? [], network: protocolID),
                tier: capabilities.tier(of: peer, now: now), relays: capabilities.record(of: peer, now: now)?.relays ?? false)
        }
        let times = await Self.roundTrips(to: Array(rows.keys), network: network)
        for (peer, time) in times { rows[peer]?.roundTrip = time }
        return rows.values.sorted { $0.peer.description < $1.peer.description }
    }

    private static func roundTrips(to peers: [PeerID], network: NetworkManager) async -> [PeerID: Duration] {
        await withTaskGroup(of: (PeerID, Duration)?.self) { group in
            for peer in peers {
                group.addTask {
                    // One that does not answer has no time.
                    do { return (peer, try await network.swarm.ping(peer)) } catch { return nil }
                }
            }
            group.addTask {
                // Ends early only when it is cancelled.
                try? await Task.sleep(for: Self.patience)
                return nil
            }
            var times: [PeerID: Duration] = [:]
            let end = ContinuousClock.now + Self.patience
            var waiting = peers.count
            while waiting > 0, ContinuousClock.now < end, let answer = await group.next() {
                if let (peer, time) = answer { times[peer] = time }
                waiting -= 1
            }
            group.cancelAll()
            return times
        }
    }

    // MARK: Output

    var line: String {
        let roundTrip = self.roundTrip.map { "  \(Self.milliseconds($0)) ms" } ?? ""
        let agent = self.agent.map { "  \(TerminalText.singleLine(TerminalText.truncated($0, to: 40)))" } ?? ""
        let features = self.features.isEmpty ? "" : "  [\(self.features.joined(separator: " "))]"
        let tier = self.tier == .unknown ? "" : "  \(self.tier.rawValue)\(self.relays ? ", relays" : "")"
        let direction = self.isInbound ? "in" : "out"
        return "\(self.peer)  \(PathDescription.text(self.path)) (\(direction))  \(TerminalText.singleLine(self.path.address.description))\(roundTrip)\(agent)\(tier)\(features)"
    }

    var event: JSONObject {
        [
            "event": "peer", "peer": .string("\(self.peer)"), "address": .string(self.path.address.description), "layer": .string(self.path.method.rawValue),
            "direct": .boolean(self.path.isDirect), "direction": .string(self.isInbound ? "in" : "out"), "agent": self.agent.map(JSONValue.string) ?? .null,
            "features": .array(self.features.map { .string($0) }), "tier": .string(self.tier.rawValue), "relays": .boolean(self.relays),
            "roundTripSeconds": self.roundTrip.map { .number(DurationText.seconds($0)) } ?? .null,
        ]
    }

    private static func milliseconds(_ duration: Duration) -> String {
        let tenths = Int((DurationText.seconds(duration) * 10_000).rounded())
        return tenths < 1000 ? "\(tenths / 10).\(tenths % 10)" : "\(tenths / 10)"
    }
}
