// Three nodes of a DHT on loopback: one says that it has something, another finds it through the third.
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGSwarm
import DIGTCP
import Logging
import NIOPosix

func makeNode(knowing first: [Multiaddr] = []) async throws -> (Swarm, KademliaService) {
    let (group, logger, identity) = (MultiThreadedEventLoopGroup.singleton, Logger(label: "snippet"), try KeyPair.generate())
    let swarm = Swarm(identity: identity, transports: [TCPTransport(group: group)], group: group, logger: logger)
    try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
    var configuration = try KademliaConfiguration.privateNetwork("snippet")
    (configuration.mode, configuration.bootstrapPeers) = (.server, first)
    let dht = KademliaService(
        dialer: swarm, router: swarm, identity: identity, configuration: configuration, localAddresses: { swarm.listenAddresses }, logger: logger)
    Task { try await dht.run() }
    Task { for await case .identified(let info) in swarm.events { dht.identified(info.peer, protocols: info.protocols, addresses: info.listenAddresses) } }
    return (swarm, dht)
}

let (swarm, first) = try await makeNode()
let known = swarm.listenAddresses.map { $0.withPeerID(first.localPeer) }
let ((_, holder), (_, seeker)) = (try await makeNode(knowing: known), try await makeNode(knowing: known))
_ = try await (holder.bootstrap(), seeker.bootstrap())
print("stored by", try await holder.provide(Array("something".utf8)).stored)
for await provider in seeker.findProviders(of: Array("something".utf8)) { print("found", provider.peer, provider.addresses) }
