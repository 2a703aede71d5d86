import DIGTestSupport
import Testing

@testable import DIGTransfer

@Suite("chunk set")
struct ChunkSetTests {
    @Test("agrees with a plain set over random steps", arguments: [1, 63, 64, 65, 4096, 4097, 300_000])
    func agreesWithSet(universe: Int) {
        var random = SeededGenerator(seed: UInt64(universe))
        var chunks = ChunkSet(universe: universe)
        var model: Set<Int> = []
        for _ in 0..<2000 {
            let index = Int.random(in: 0..<universe, using: &random)
            if Bool.random(using: &random) {
                let result1 = chunks.insert(index)
                #expect(result1 == model.insert(index).inserted)
            } else {
                let result2 = chunks.remove(index)
                #expect(result2 == (model.remove(index) != nil))
            }
        }
        #expect(chunks.count == model.count)
        let sorted = model.sorted()
        var found: [Int] = []
        var next = chunks.first()
        while let index = next {
            found.append(index)
            next = chunks.first(from: index + 1)
        }
        #expect(found == sorted)
        for _ in 0..<200 {
            let start = Int.random(in: 0..<universe, using: &random)
            #expect(chunks.first(from: start) == sorted.first { $0 >= start })
            #expect(chunks.firstAbsent(from: start) == (start..<universe).first { !model.contains($0) })
        }
    }

    @Test("finds what is absent behind long runs, and nothing when full", arguments: [1, 63, 64, 65, 300_000])
    func absent(universe: Int) {
        var chunks = ChunkSet(universe: universe)
        for index in 0..<universe { chunks.insert(index) }
        #expect(chunks.firstAbsent() == nil)
        chunks.remove(universe - 1)
        #expect(chunks.firstAbsent() == universe - 1)
        #expect(chunks.firstAbsent(from: universe) == nil)
    }

    @Test("finds what two sets have in common", arguments: [70, 5000, 300_000])
    func common(universe: Int) {
        var random = SeededGenerator(seed: 7)
        var a = ChunkSet(universe: universe)
        var b = ChunkSet(universe: universe)
        for _ in 0..<60 {
            a.insert(Int.random(in: 0..<universe, using: &random))
            b.insert(Int.random(in: 0..<universe, using: &random))
        }
        for index in [0, universe / 2, universe - 1] {
            a.insert(index)
            b.insert(index)
        }
        let expected = (0..<universe).filter { a.contains($0) && b.contains($0) }
        var found: [Int] = []
        var next = a.firstCommon(with: b)
        while let index = next {
            found.append(index)
            next = a.firstCommon(with: b, from: index + 1)
        }
        #expect(found == expected)
    }

    @Test("ignores indices outside, and may be empty")
    func outside() {
        var chunks = ChunkSet(universe: 10)
        let result3 = chunks.insert(10)
        #expect(!result3)
        let result4 = chunks.insert(-1)
        #expect(!result4)
        #expect(!chunks.contains(10))
        #expect(chunks.first(from: 10) == nil)
        #expect(ChunkSet(universe: 0).first() == nil)
    }
}
