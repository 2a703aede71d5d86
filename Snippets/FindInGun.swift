// A relay of GUN in this process, as gun.js would be one: a peer announces a content there, another finds it.
import DIGAnnouncement
import DIGContent
import DIGGun
import DIGIdentity
import DIGMultiformats
import Logging
import NIOPosix

let logger = Logger(label: "snippet")
func makePeer(_ configure: (inout GunPeerConfiguration) -> Void) -> GunPeer {
    var configuration = GunPeerConfiguration()
    configure(&configuration)
    let peer = GunPeer(configuration: configuration, guards: GunNamespace.standard.guards, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
    Task { try await peer.run() }
    return peer
}
func discovery(over peer: GunPeer) throws -> GunDiscovery {
    let address = try Multiaddr("/ip4/127.0.0.1/tcp/4001")
    return GunDiscovery(peer: peer, identity: try KeyPair.generate(), addresses: { [address] }, logger: logger)
}

let relay = makePeer { $0.listen = [GunListenAddress(host: "127.0.0.1", port: 0)] }
while relay.status.listening.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
let urls = relay.status.listening
let (holder, seeker) = (makePeer { $0.relays = urls.map { .init($0) } }, makePeer { $0.relays = urls.map { .init($0) } })
let key = RendezvousKey(.name("a name"))
try await discovery(over: holder).announce(key, contentID: "a name", waitingForAcknowledgement: .seconds(5))
while seeker.status.relays.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
for await found in try discovery(over: seeker).findPeers(key).prefix(1) { print(found.peer, "has it at", found.addresses) }
