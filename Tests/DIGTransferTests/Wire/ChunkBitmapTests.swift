import DIGTestSupport
import Testing

@testable import DIGTransfer

@Suite("chunk bitmap")
struct ChunkBitmapTests {
    @Test("has chunk 0 in the lowest bit of the first byte")
    func layout() throws {
        var bitmap = ChunkBitmap(count: 12)
        bitmap.insert(0)
        bitmap.insert(9)
        bitmap.insert(11)
        #expect(bitmap.bytes == [0x01, 0x0a])
        #expect(try ChunkBitmap(bytes: [0x01, 0x0a], count: 12) == bitmap)
        #expect(bitmap.setCount == 3)
    }

    @Test("agrees with a set of indices", arguments: [0, 1, 7, 8, 63, 64, 65, 128, 1000])
    func model(_ count: Int) throws {
        var random = SeededGenerator(seed: UInt64(count) + 1)
        var bitmap = ChunkBitmap(count: count)
        var model: Set<Int> = []
        for _ in 0..<200 {
            let low = Int.random(in: -5...count + 5, using: &random)
            let high = Int.random(in: low...count + 10, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                let isNew = bitmap.insert(low)
                #expect(isNew == ((0..<count).contains(low) && !model.contains(low)))
                if isNew { model.insert(low) }
            case 1:
                let wasHeld = bitmap.remove(low)
                #expect(wasHeld == (model.remove(low) != nil))
            case 2:
                bitmap.insert(low..<high)
                model.formUnion((low..<high).filter { (0..<count).contains($0) })
            case 3:
                bitmap.remove(low..<high)
                model.subtract(low..<high)
            default:
                #expect(bitmap.contains(low..<high) == (low..<high).allSatisfy { model.contains($0) })
            }
            #expect(bitmap.setCount == model.count)
            #expect(bitmap.ranges.flatMap { Array($0) } == model.sorted())
            #expect(bitmap.missingRanges.flatMap { Array($0) } == (0..<count).filter { !model.contains($0) })
            #expect(bitmap.isComplete == (model.count == count))
            #expect(bitmap.firstHeld(from: low) == model.filter { $0 >= low }.min())
        }
        #expect(try ChunkBitmap(bytes: bitmap.bytes, count: count) == bitmap)
    }

    @Test("refuses another length and padding that is set")
    func strict() {
        #expect(throws: ChunkBitmapError.wrongLength(expected: 2, actual: 1)) { try ChunkBitmap(bytes: [0], count: 12) }
        #expect(throws: ChunkBitmapError.wrongLength(expected: 2, actual: 3)) { try ChunkBitmap(bytes: [0, 0, 0], count: 12) }
        for bit in 4..<8 {
            #expect(throws: ChunkBitmapError.paddingSet) { try ChunkBitmap(bytes: [0, 1 << UInt8(bit)], count: 12) }
        }
        #expect(throws: ChunkBitmapError.self) { try ChunkBitmap(bytes: [], count: -1) }
        #expect(throws: Never.self) { try ChunkBitmap(bytes: [], count: 0) }
    }

    @Test("is put together from parts")
    func parts() throws {
        var whole = ChunkBitmap(count: 1003)
        var random = SeededGenerator(seed: 3)
        for _ in 0..<400 { whole.insert(Int.random(in: 0..<1003, using: &random)) }
        var copy = ChunkBitmap(count: 1003)
        for first in stride(from: 0, to: 1003, by: 80) { try copy.insert(bytes: whole.bytes(of: first..<min(1003, first + 80)), at: first) }
        #expect(copy == whole)

        #expect(throws: ChunkBitmapError.outOfRange) { try copy.insert(bytes: [0], at: 4) }
        #expect(throws: ChunkBitmapError.outOfRange) { try copy.insert(bytes: [0], at: 1008) }
        #expect(throws: ChunkBitmapError.outOfRange) { try copy.insert(bytes: [0], at: -8) }
        #expect(throws: ChunkBitmapError.wrongLength(expected: 1, actual: 2)) { try copy.insert(bytes: [0, 0], at: 1000) }
        #expect(throws: ChunkBitmapError.paddingSet) { try copy.insert(bytes: [0x08], at: 1000) }
        #expect(copy == whole)
    }

    @Test("unites and subtracts")
    func sets() {
        var a = ChunkBitmap(count: 70)
        a.insert(0..<65)
        var b = ChunkBitmap(count: 70)
        b.insert(60..<70)
        var union = a
        union.formUnion(b)
        #expect(union.isComplete)
        union.subtract(a)
        #expect(union.ranges == [65..<70])
    }

    @Test("a range of chunks never leaves 32 bits")
    func ranges() {
        #expect(ChunkRange(first: 0, count: 0) == nil)
        #expect(ChunkRange(first: 1, count: .max) != nil)
        #expect(ChunkRange(first: 2, count: .max) == nil)
        #expect(ChunkRange(first: .max, count: 1)?.indices == Int(UInt32.max)..<Int(UInt32.max) + 1)
        #expect(ChunkRange(-1..<3) == nil)
        #expect(ChunkRange(3..<3) == nil)
    }

    @Test("the chunk of a rank is the one with so many held before it", arguments: 0..<8 as Range<UInt64>)
    func rank(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var bitmap = ChunkBitmap(count: 1000)
        for _ in 0..<Int.random(in: 1...900, using: &random) { bitmap.insert(Int.random(in: 0..<1000, using: &random)) }
        let held = (0..<1000).filter { bitmap.contains($0) }
        for (rank, chunk) in held.enumerated() { #expect(bitmap.held(rank: rank) == chunk) }
        for rank in [-1, .min, held.count, .max] { #expect(bitmap.held(rank: rank) == nil) }
    }
}
