// Says that this node is here and has a content, and lists who else on the local network is, and who has it too, until Ctrl-C.
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

// 32 bytes that only those know who look for the same: a hash.
guard let key = LocalKey(bytes: [UInt8](repeating: 7, count: LocalKey.byteCount)) else { fatalError("not 32 bytes") }
discovery.announce(key)
async let holders: Void = {
    for await peer in discovery.findPeers(holding: key) { print(peer.peer, peer.addresses.isEmpty ? "has it no longer" : "has it") }
}()
for await peer in discovery.findPeers() { print(peer.peer, peer.addresses) }
_ = try await (running, holders)
