import DIGContent
import NIOCore
import Testing

@testable import DIGTransfer

@Suite("chunks put into slabs")
struct ChunkAssemblyTests {
    private static let byteCount = 64 * 1024
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// An assembly, the slabs that are free, and what came out.
    private final class Bench {
        let assembly = ChunkAssembly()
        var free: [ChunkSlab]
        var batches: [(handle: UInt32, chunks: Range<Int>)] = []
        let now: NIODeadline

        init(slabCount: Int, now: NIODeadline) {
            self.free = (0..<slabCount).map { _ in ChunkSlab() }
            self.now = now
        }

        func note(_ batch: ChunkAssembly.Batch?) {
            guard let batch else { return }
            self.batches.append((batch.handle, batch.slab.chunks))
        }

        func begin(_ chunk: Int, _ handle: UInt32 = 1) {
            self.note(self.assembly.begin(chunk, handle: handle, hash: .zero, byteCount: ChunkAssemblyTests.byteCount, now: self.now) { self.free.popLast() })
        }

        func body(_ byteCount: Int = ChunkAssemblyTests.byteCount) { self.assembly.append(ByteBuffer(repeating: 1, count: byteCount)) }

        func end(outstanding: Int = 1000, after delay: TimeAmount = .zero) {
            self.note(self.assembly.end(outstandingCount: outstanding, now: self.now + delay))
        }

        func chunk(_ chunk: Int, _ handle: UInt32 = 1) {
            self.begin(chunk, handle)
            self.body()
            self.end()
        }

        func flush() { self.note(self.assembly.flush(now: self.now) { self.free.popLast() }) }
    }

    @Test("chunks that follow each other share a slab until it is full")
    func full() {
        let bench = Bench(slabCount: 3, now: self.start)
        for chunk in 0..<33 { bench.chunk(chunk) }
        #expect(bench.batches.map(\.chunks) == [0..<16, 16..<32])
        #expect(bench.assembly.handle == 1)
        bench.flush()
        #expect(bench.batches.last?.chunks == 32..<33)
        #expect(bench.assembly.handle == nil)
    }

    @Test("a chunk of another handle, and one that does not follow, begins another slab")
    func apart() {
        let bench = Bench(slabCount: 4, now: self.start)
        bench.chunk(3)
        bench.chunk(4, 2)
        bench.chunk(6, 2)
        bench.chunk(5, 2)
        #expect(bench.batches.map(\.handle) == [1, 2, 2])
        #expect(bench.batches.map(\.chunks) == [3..<4, 4..<5, 6..<7])
    }

    @Test("nothing waits when nothing more is outstanding than is here, or when the oldest has waited")
    func due() {
        let bench = Bench(slabCount: 3, now: self.start)
        for outstanding in [2, 1] {
            bench.begin(2 - outstanding)
            bench.end(outstanding: outstanding)
        }
        #expect(bench.batches.map(\.chunks) == [0..<2])
        bench.begin(2)
        bench.end(after: ChunkAssembly.maximumDelay - .nanoseconds(1))
        #expect(bench.batches.count == 1)
        bench.begin(3)
        bench.end(after: ChunkAssembly.maximumDelay)
        #expect(bench.batches.last?.chunks == 2..<4)
    }

    @Test("without a slab a chunk waits, and goes on when one is free")
    func waiting() {
        let bench = Bench(slabCount: 0, now: self.start)
        bench.begin(7)
        #expect(bench.assembly.isWaiting && !bench.assembly.isBetweenChunks)
        #expect(bench.assembly.slabFreed(now: self.start, takeSlab: { nil }) == false)
        #expect(bench.assembly.isWaiting)
        #expect(bench.assembly.slabFreed(now: self.start, takeSlab: { ChunkSlab() }) == true)
        #expect(!bench.assembly.isWaiting)
        bench.body()
        bench.end(outstanding: 0)
        #expect(bench.batches.map(\.chunks) == [7..<8])
        // Whoever wants none leaves it to others.
        #expect(bench.assembly.slabFreed(now: self.start, takeSlab: { ChunkSlab() }) == false)
    }

    @Test("a handle that is released while its chunk waits wants no slab")
    func releasedWhileWaiting() {
        let bench = Bench(slabCount: 0, now: self.start)
        bench.begin(7)
        #expect(bench.assembly.released(2) == nil)
        #expect(bench.assembly.isWaiting)
        #expect(bench.assembly.released(1) == nil)
        #expect(!bench.assembly.isWaiting && !bench.assembly.isBetweenChunks)
        bench.body()
        bench.end(outstanding: 0)
        #expect(bench.batches.isEmpty && bench.assembly.isBetweenChunks)
    }

    @Test("what came whole before its handle was released is kept, a part of a chunk is not")
    func released() {
        let bench = Bench(slabCount: 2, now: self.start)
        bench.chunk(0)
        bench.begin(1)
        bench.body(10)
        #expect(bench.assembly.released(2) == nil)
        let batch = bench.assembly.released(1)
        #expect(batch?.slab.chunks == 0..<1)
        bench.body(Self.byteCount - 10)
        bench.end(outstanding: 0)
        #expect(bench.batches.isEmpty && bench.assembly.handle == nil)
    }

    @Test("in the middle of a chunk what is whole goes, if the part has somewhere to go")
    func flushed() throws {
        let bench = Bench(slabCount: 1, now: self.start)
        bench.flush()
        bench.chunk(0)
        bench.begin(1)
        bench.body(10)
        bench.flush()
        #expect(bench.batches.isEmpty)
        bench.free = [ChunkSlab()]
        bench.flush()
        #expect(bench.batches.map(\.chunks) == [0..<1])
        #expect(!bench.assembly.isBetweenChunks)
        bench.body(Self.byteCount - 10)
        bench.end(outstanding: 0)
        #expect(bench.batches.last?.chunks == 1..<2)
    }

    @Test("as many late bytes are let pass as were given up, and they reach no slab")
    func late() {
        let bench = Bench(slabCount: 1, now: self.start)
        #expect(bench.assembly.beginLate(byteCount: 1) == false)
        bench.assembly.expectLate(100)
        bench.assembly.expectLate(50)
        bench.chunk(0)
        #expect(bench.assembly.beginLate(byteCount: 120) == true)
        #expect(!bench.assembly.isBetweenChunks)
        bench.body(120)
        bench.end(outstanding: 0)
        #expect(bench.batches.isEmpty)
        #expect(bench.assembly.beginLate(byteCount: 31) == false)
        #expect(bench.assembly.beginLate(byteCount: 30) == true)
        let batch = bench.assembly.close()
        #expect(batch?.slab.chunks == 0..<1)
        #expect(bench.assembly.isBetweenChunks && bench.assembly.close() == nil)
    }
}
