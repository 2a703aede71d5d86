// Two connected peers tell each other who has what: one announces a content, the other finds it.
import DIGAnnouncement
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGPeerExchange
import DIGSwarm
import DIGTCP
import Foundation
import Logging
import NIOPosix

func makeNode(_ identity: KeyPair) async throws -> (Swarm, PeerExchange) {
    let (group, logger) = (MultiThreadedEventLoopGroup.singleton, Logger(label: "snippet"))
    let swarm = Swarm(identity: identity, transports: [TCPTransport(group: group)], group: group, logger: logger)
    try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
    let exchange = PeerExchange(dialer: swarm, router: swarm, identity: identity, ownRecord: { nil }, logger: logger)
    Task { try await exchange.run() }
    return (swarm, exchange)
}

let holder = try KeyPair.generate()
let ((server, announcing), (client, asking)) = (try await makeNode(holder), try await makeNode(try KeyPair.generate()))
let key = RendezvousKey(.name("a name"))
let announcement = ContentAnnouncement(peer: holder.peerID, key: key, timestampMilliseconds: UInt64(Date().timeIntervalSince1970 * 1000))
try announcing.announce(announcement.signed(with: holder))
let connection = try await client.connect(to: server.localPeer, addresses: server.listenAddresses)
try asking.addConnection(connection, for: key)
for await found in asking.findHolders(of: key) { print(found.peer, "has it, believed until", found.expiresAtMilliseconds) }
