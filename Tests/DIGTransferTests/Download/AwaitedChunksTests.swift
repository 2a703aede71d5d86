import Testing

@testable import DIGTransfer

@Suite("awaited chunks")
struct AwaitedChunksTests {
    @Test("as many as there are bits, and at least one")
    func bounds() {
        for range in [5..<5, 0..<65, 7..<1_000_000] { #expect(AwaitedChunks(range) == nil) }
        for count in 1...AwaitedChunks.maximumCount {
            let chunks = AwaitedChunks(100..<100 + count)
            #expect(chunks?.count == count)
            #expect(chunks?.chunks == Array(100..<100 + count))
        }
    }

    @Test("each comes once, in any order, and no other")
    func take() throws {
        var chunks = try #require(AwaitedChunks(10..<74))
        for chunk in [9, 74, -1, .min, .max] {
            #expect(!chunks.contains(chunk))
            #expect(chunks.take(chunk) == false)
        }
        for chunk in [73, 10, 40] {
            #expect(chunks.contains(chunk))
            #expect(chunks.take(chunk) == true)
            #expect(!chunks.contains(chunk))
            #expect(chunks.take(chunk) == false)
        }
        #expect(chunks.count == 61)
        #expect(chunks.chunks == (11..<73).filter { $0 != 40 })
        for chunk in chunks.chunks { #expect(chunks.take(chunk) == true) }
        #expect(chunks.isEmpty)
        #expect(chunks.range == 10..<74)
    }
}
