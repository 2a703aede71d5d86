// Two peers in a topic of GossipSub: what one publishes, signed, everybody in the topic gets.
import DIGGossipSub
import DIGIdentity
import DIGMultiformats
import DIGSwarm
import DIGTCP
import Logging
import NIOPosix

func makeNode() async throws -> (Swarm, GossipSub) {
    let (group, logger, identity) = (MultiThreadedEventLoopGroup.singleton, Logger(label: "snippet"), try KeyPair.generate())
    let swarm = Swarm(identity: identity, transports: [TCPTransport(group: group)], group: group, logger: logger)
    try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
    let gossip = GossipSub(dialer: swarm, router: swarm, identity: identity, logger: logger)
    Task { try await gossip.run() }
    Task { for await case .identified(let info) in swarm.events { gossip.identified(info.peer, protocols: info.protocols) } }
    return (swarm, gossip)
}

let ((server, hearing), (client, telling)) = (try await makeNode(), try await makeNode())
// The validator decides what is passed on.
let messages = try hearing.subscribe("news") { $0.data.count < 1_000 ? .accept : .reject }
_ = try telling.subscribe("news") { _ in .accept }
_ = try await client.connect(to: server.localPeer, addresses: server.listenAddresses)
while telling.peers(in: "news").isEmpty { try await Task.sleep(for: .milliseconds(10)) }
try telling.publish(Array("hello".utf8), to: "news")
for await message in messages.prefix(1) { print(message.publisher, "says", String(decoding: message.data, as: UTF8.self)) }
