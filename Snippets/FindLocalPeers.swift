// Says that we are here, and lists who else is on the local network, until Ctrl-C.
import DIGIdentity
import DIGLocalDiscovery
import DIGMultiformats
import Logging
import NIOPosix

let identity = try KeyPair.generate()
let address = try Multiaddr("/ip4/127.0.0.1/tcp/4001")
let discovery = LocalDiscovery(
    identity: identity.peerID, addresses: { [address] }, group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "snippet"))
async let running: Void = discovery.run()
for await peer in discovery.findPeers() { print(peer.peer, peer.addresses) }
try await running
