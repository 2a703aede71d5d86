// Looks for holders by several mechanisms at once: the local network, and one of the program's own, which any type can be.
import DIGAnnouncement
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGLocalDiscovery
import Logging
import NIOPosix

struct PhoneBook: DiscoveryMechanism {
    let entries: [RendezvousKey: PeerID]
    var source: DiscoverySource { .dht }

    func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error> {
        let found = self.entries[key].map { FoundHolder($0, addresses: []) }
        return AsyncThrowingStream { continuation in
            if let found { continuation.yield(found) }
            continuation.finish()
        }
    }
    func announce(_ content: AnnouncedContent) async throws -> Int { 1 }
    func withdraw(_ key: RendezvousKey) async throws {}
}

let (identity, holder, logger) = (try KeyPair.generate(), try KeyPair.generate(), Logger(label: "snippet"))
let local = LocalDiscovery(identity: identity.peerID, addresses: { [] }, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
let key = RendezvousKey(.name("a name"))
let mechanisms: [any DiscoveryMechanism] = [LocalMechanism(local), PhoneBook(entries: [key: holder.peerID])]
let discovery = try PeerDiscoveryManager(mechanisms, localPeer: identity.peerID, logger: logger)
let listening = Task { try await local.run() }
for await event in discovery.find(key) { print(event) }
listening.cancel()
