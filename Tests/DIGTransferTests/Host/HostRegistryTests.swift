import DIGContent
import DIGIdentity
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import DIGTransfer

@Suite("host registry")
struct HostRegistryTests {
    private final class Closed: Sendable {
        let ids = Mutex<[UInt64]>([])
    }

    @Test("when it is full, the session that was sent nothing for longest makes room; a new one does not")
    func eviction() throws {
        let ended = Mutex<[PeerID]>([])
        var configuration = TransferHostConfiguration()
        configuration.maximumSessionCount = 3
        let registry = HostRegistry(configuration: configuration) { peer, _ in ended.withLock { $0.append(peer) } }
        let closed = Closed()
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let peers = (0..<5).map { _ in VirtualSwarm.peerID() }
        var ids: [UInt64] = []
        for (index, peer) in peers[..<3].enumerated() {
            let id = try #require(registry.add(peer, now: start + .seconds(Int64(index))))
            registry.attach(id, withdraw: { _, _ in }, close: { closed.ids.withLock { $0.append(id) } }, contents: { EmbeddedEventLoop().makeSucceededFuture([]) })
            ids.append(id)
        }
        #expect(registry.add(peers[3], now: start + .seconds(9)) == nil)
        // The first is in use, so it is the second's turn.
        registry.recordSent(ContentHash(digest: .zero), byteCount: 1, chunkCount: 1, session: ids[0], now: start + .seconds(10))
        #expect(registry.add(peers[3], now: start + .seconds(11)) != nil)
        #expect(closed.ids.withLock { $0 } == [ids[1]])
        #expect(ended.withLock { $0 } == [peers[1]])
        #expect(registry.sessionCount == 3)
        // Its handler ends later, and is not counted twice.
        registry.remove(ids[1])
        #expect(registry.sessionCount == 3)
        #expect(ended.withLock { $0.count } == 1)
        #expect(registry.statistics(now: start).refusedSessionCount == 1)
    }
}
