import DIGContent
import DIGTestSupport
import Testing

@testable import DIGTransfer

@Suite("outstanding chunks")
struct OutstandingChunksTests {
    private static func hash(_ chunk: Int) -> SHA256Digest { SHA256Digest(hashing: [UInt8(truncatingIfNeeded: chunk), UInt8(truncatingIfNeeded: chunk >> 8)]) }

    @Test("what makes no sense is not taken in")
    func nonsense() {
        var outstanding = OutstandingChunks()
        let hashes = (0..<65).map(Self.hash)
        for (chunks, count) in [(0..<0, 0), (0..<65, 65), (0..<4, 3), (0..<4, 5), (0..<1, 0)] {
            #expect(outstanding.insert(chunks, hashes: hashes[..<count]) == false)
        }
        #expect(outstanding.count == 0)
        #expect(outstanding.take(0) == nil)
    }

    @Test("each gives its own hash once, however requests, answers and refusals are mixed", arguments: 0..<20 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let hashes = (0..<600).map(Self.hash)
        var outstanding = OutstandingChunks()
        var expected: Set<Int> = []
        for _ in 0..<400 {
            let first = Int.random(in: 0..<530, using: &random)
            let range = first..<first + Int.random(in: 1...64, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3:
                guard expected.isDisjoint(with: range) else { continue }
                #expect(outstanding.insert(range, hashes: hashes[range]) == true)
                expected.formUnion(range)
            case 3..<8:
                let chunk = Bool.random(using: &random) ? expected.randomElement(using: &random) ?? first : first
                #expect(outstanding.take(chunk) == (expected.remove(chunk) == nil ? nil : hashes[chunk]))
            case 8:
                let removed = outstanding.remove(range)
                #expect(removed.count == Set(removed).count)
                #expect(Set(removed) == expected.intersection(range))
                expected.subtract(range)
            default:
                guard Int.random(in: 0..<10, using: &random) == 0 else { continue }
                #expect(Set(outstanding.removeAll()) == expected)
                expected = []
            }
            #expect(outstanding.count == expected.count)
        }
    }
}
