import DIGContent
import Testing

@testable import DIGTransfer

@Suite("positions of readers")
struct ReaderPositionsTests {
    private static let unit: UInt64 = 65_536
    /// Ten chunks, the last of them a byte short.
    private let layout: ChunkLayout

    init() throws { self.layout = try ChunkLayout(fileSize: 10 * Self.unit - 1, layer: 2) }

    private func bitmap(_ chunks: Range<Int>...) -> ChunkBitmap {
        var bitmap = ChunkBitmap(count: self.layout.chunkCount)
        for range in chunks { bitmap.insert(range) }
        return bitmap
    }

    @Test("a reader gets what is proven up to the first gap, and waits there")
    func gap() {
        var readers = ReaderPositions()
        let id = readers.add(100..<9 * Self.unit)
        #expect(readers.next(id, in: self.layout, verified: self.bitmap(1..<10)) == .wait)
        let held = self.bitmap(0..<2, 3..<10)
        #expect(readers.next(id, in: self.layout, verified: held) == .piece(100..<2 * Self.unit, leavesChunk: true))
        #expect(readers.next(id, in: self.layout, verified: held) == .wait)
        #expect(readers.next(id, in: self.layout, verified: self.bitmap(0..<3)) == .piece(2 * Self.unit..<3 * Self.unit, leavesChunk: true))
    }

    @Test("pieces are short enough, follow each other, and end with the range or the file", arguments: [nil, 5, 300_000, UInt64.max])
    func pieces(end: UInt64?) {
        var readers = ReaderPositions()
        let id = readers.add(end.map { 0..<$0 })
        let last = min(end ?? .max, self.layout.fileSize)
        var position: UInt64 = 0
        while case .piece(let range, _) = readers.next(id, in: self.layout, verified: nil) {
            #expect(range.lowerBound == position && !range.isEmpty && range.count <= VerifiedPiece.maximumByteCount)
            position = range.upperBound
            guard position <= last else { break }
        }
        #expect(position == last)
        #expect(readers.next(id, in: self.layout, verified: nil) == .end)
    }

    @Test("no range makes the reckoning overflow, and who is gone gets nothing")
    func extremes() {
        var readers = ReaderPositions()
        let far = readers.add(.max - 1 ..< .max)
        let empty = readers.add(7..<7)
        #expect(readers.next(far, in: self.layout, verified: self.bitmap()) == .end)
        #expect(readers.next(empty, in: self.layout, verified: nil) == .end)
        #expect(readers.priorities(in: self.layout, readAhead: .max).isEmpty)
        #expect(readers.remove(far) == true)
        #expect(readers.remove(far) == false)
        #expect(!readers.contains(far) && readers.contains(empty))
        #expect(readers.next(far, in: self.layout, verified: nil) == .end)
    }

    @Test("the chunks at a reader's position are wanted first, as far ahead as is asked for")
    func priorities() {
        var readers = ReaderPositions()
        #expect(readers.priorities(in: self.layout, readAhead: 0).isEmpty)
        let first = readers.add(3 * Self.unit + 1..<9 * Self.unit)
        _ = readers.add(nil)
        #expect(readers.priorities(in: self.layout, readAhead: 0) == [3..<5, 0..<1])
        #expect(readers.priorities(in: self.layout, readAhead: 2 * Self.unit) == [3..<7, 0..<3])
        #expect(readers.priorities(in: self.layout, readAhead: .max) == [3..<9, 0..<10])
        _ = readers.next(first, in: self.layout, verified: self.bitmap(3..<4))
        #expect(readers.priorities(in: self.layout, readAhead: 0) == [4..<5, 0..<1])
        // The end of its range: it wants nothing any more.
        while case .piece = readers.next(first, in: self.layout, verified: nil) {}
        #expect(readers.priorities(in: self.layout, readAhead: 0) == [0..<1])
    }
}
