import NIOEmbedded
import Synchronization
import Testing

@testable import DIGTransfer

@Suite("chunk slab pool")
struct ChunkSlabPoolTests {
    private final class Session: Sendable {
        let wakeCount = Atomic(0)
    }

    @Test("a session that was woken and takes no slab does not keep the next from one")
    func passOn() throws {
        let loop = EmbeddedEventLoop()
        let pool = ChunkSlabPool(byteCount: 0)
        let owner = Session()
        let slabs = (0..<2).compactMap { _ in pool.take(for: owner, on: loop, resume: {}) }
        #expect(slabs.count == 2)
        let (first, second) = (Session(), Session())
        for session in [first, second] {
            let slab = pool.take(for: session, on: loop) { session.wakeCount.add(1, ordering: .relaxed) }
            #expect(slab == nil)
        }
        pool.giveBack(slabs[0])
        loop.run()
        #expect(first.wakeCount.load(ordering: .relaxed) == 1)
        #expect(second.wakeCount.load(ordering: .relaxed) == 0)
        pool.passOn()
        loop.run()
        #expect(second.wakeCount.load(ordering: .relaxed) == 1)
        pool.passOn()
        loop.run()
        #expect(first.wakeCount.load(ordering: .relaxed) == 1)
    }
}
