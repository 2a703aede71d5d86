// Connects to a peer by whatever works: directly, through a mapped port, a punched hole or a relay. Here both are on loopback, so that it is direct.
import DIGCircuitRelay
import DIGIdentity
import DIGMultiformats
import DIGSwarm
import DIGTCP
import DIGTraversal
import Logging
import NIOPosix

let group = MultiThreadedEventLoopGroup.singleton
let logger = Logger(label: "snippet")
func makeNode() async throws -> (Swarm, NATTraversalManager) {
    let identity = try KeyPair.generate()
    let circuits = CircuitRelayTransport(logger: logger)
    let swarm = Swarm(identity: identity, transports: [TCPTransport(group: group), circuits], group: group, logger: logger)
    // Dials back, under another name, peers that ask whether they can be reached.
    let dialBacks = Swarm(identity: try KeyPair.generate(), transports: [TCPTransport(group: group)], group: group, logger: logger)
    try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
    return (swarm, NATTraversalManager(swarm: swarm, circuits: circuits, dialBacks: dialBacks, identity: identity, group: group, logger: logger))
}

let ((server, _), (client, traversal)) = (try await makeNode(), try await makeNode())
let running = Task { try await traversal.run() }
let result = try await traversal.connect(to: server.localPeer, addresses: server.listenAddresses)
print("connected by", result.method, "in", result.duration, "to", result.connection.remoteAddress)
print("this node is", await traversal.environment.tier)
running.cancel()
for swarm in [client, server] { await swarm.shutdown() }
