import DIGTestSupport
import Testing

@testable import DIGTransfer

@Suite("chunk picker")
struct ChunkPickerTests {
    static let segment = 1024

    func unlocked(_ count: Int) -> ChunkPicker {
        var picker = ChunkPicker(chunkCount: count)
        picker.unlock(0..<count)
        return picker
    }

    func chunks(_ indices: some Sequence<Int>, of count: Int) -> ChunkSet {
        var set = ChunkSet(universe: count)
        for index in indices { set.insert(index) }
        return set
    }

    @Test("gives a complete holder the file from front to back")
    func inOrder() {
        var picker = self.unlocked(40)
        let result5 = picker.pick(from: .complete, limit: 16, segment: Self.segment)
        #expect(result5 == 0..<16)
        let result6 = picker.pick(from: .complete, limit: 16, segment: Self.segment)
        #expect(result6 == 16..<32)
        let result7 = picker.pick(from: .complete, limit: 16, segment: Self.segment)
        #expect(result7 == 32..<40)
        let result8 = picker.pick(from: .complete, limit: 16, segment: Self.segment)
        #expect(result8 == nil)
    }

    @Test("keeps a request within one segment of hashes")
    func segments() {
        var picker = self.unlocked(40)
        let result9 = picker.pick(from: .complete, limit: 16, segment: 10)
        #expect(result9 == 0..<10)
        let result10 = picker.pick(from: .complete, limit: 16, segment: 10)
        #expect(result10 == 10..<20)
    }

    @Test("does not give out a chunk whose hash is unknown")
    func locked() {
        var picker = ChunkPicker(chunkCount: 8)
        let result11 = picker.pick(from: .complete, limit: 8, segment: Self.segment)
        #expect(result11 == nil)
        picker.unlock(2..<4)
        let result12 = picker.pick(from: .complete, limit: 8, segment: Self.segment)
        #expect(result12 == 2..<4)
    }

    @Test("prefers what few partial holders have")
    func rarestFirst() {
        var picker = self.unlocked(6)
        let common = self.chunks(0..<6, of: 6)
        picker.partialHolderAdded(self.chunks([0, 1, 2, 3, 4], of: 6))
        picker.partialHolderAdded(self.chunks([0, 1, 2, 3], of: 6))
        picker.partialHolderAdded(self.chunks([5, 0], of: 6))
        // Rarity: 3, 2, 2, 2, 1, 1.
        let result13 = picker.pick(from: .partial(common), limit: 1, segment: Self.segment)
        #expect(result13 == 4..<5)
        let result14 = picker.pick(from: .partial(self.chunks([0, 1, 5], of: 6)), limit: 1, segment: Self.segment)
        #expect(result14 == 5..<6)
        let result15 = picker.pick(from: .partial(common), limit: 8, segment: Self.segment)
        #expect(result15 == 1..<4)
        let result16 = picker.pick(from: .complete, limit: 8, segment: Self.segment)
        #expect(result16 == 0..<1)
    }

    @Test("serves readers before everything else, the most urgent first")
    func priorities() {
        var picker = self.unlocked(100)
        picker.setPriorities([50..<53, 20..<30, 200..<300])
        let result17 = picker.pick(from: .complete, limit: 16, segment: Self.segment)
        #expect(result17 == 50..<53)
        let result18 = picker.pick(from: .complete, limit: 4, segment: Self.segment)
        #expect(result18 == 20..<24)
        let result19 = picker.pick(from: .complete, limit: 16, segment: Self.segment)
        #expect(result19 == 24..<30)
        let result20 = picker.pick(from: .complete, limit: 16, segment: Self.segment)
        #expect(result20 == 0..<16)
    }

    @Test("makes a chunk pickable again when its last requester gives up")
    func release() {
        var picker = self.unlocked(4)
        _ = picker.pick(from: .complete, limit: 4, segment: Self.segment)
        let result21 = picker.addRequester(1)
        #expect(result21)
        picker.release(1)
        #expect(picker.state(of: 1) == .requested)
        picker.release(1)
        #expect(picker.state(of: 1) == .missing)
        let result22 = picker.pick(from: .complete, limit: 4, segment: Self.segment)
        #expect(result22 == 1..<2)
    }

    /// What the picker should hold, kept the slow way.
    struct Model {
        var unlocked: Set<Int> = []
        var requesters: [Int: Int] = [:]
        var verified: Set<Int> = []
        var holders: [ChunkSet] = []

        func check(_ picker: ChunkPicker) -> Bool {
            for index in 0..<picker.chunkCount {
                let requesters = self.requesters[index] ?? 0
                let state: ChunkState = self.verified.contains(index) ? .verified : requesters > 0 ? .requested : .missing
                let rarity = self.holders.count { $0.contains(index) }
                let buckets = picker.bucketsForTesting
                let isPickable = state == .missing && self.unlocked.contains(index)
                let expected = isPickable ? [min(rarity, buckets.count - 1)] : []
                guard picker.state(of: index) == state, picker.requesterCount(of: index) == requesters,
                    picker.rarity(of: index) == rarity || picker.bucketsForTesting.count == 1,
                    buckets.indices.filter({ buckets[$0].contains(index) }) == expected
                else { return false }
            }
            return picker.verifiedCount == self.verified.count
        }
    }

    @Test("keeps its invariants over random steps", arguments: 1...20)
    func invariants(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let count = Int.random(in: 1...150, using: &random)
        var picker = ChunkPicker(chunkCount: count)
        var model = Model()
        for step in 0..<400 {
            let index = Int.random(in: 0..<count, using: &random)
            switch Int.random(in: 0..<9, using: &random) {
            case 0:
                let range = index..<min(count, index + 20)
                picker.unlock(range)
                model.unlocked.formUnion(range)
            case 1:
                let set = self.chunks((0..<20).map { _ in Int.random(in: 0..<count, using: &random) }, of: count)
                picker.partialHolderAdded(set)
                model.holders.append(set)
            case 2:
                guard let holder = model.holders.indices.randomElement(using: &random) else { continue }
                picker.partialHolderRemoved(model.holders.remove(at: holder))
            case 3, 4:
                let holdings = model.holders.randomElement(using: &random).map { ChunkHoldings.partial($0) } ?? .complete
                if let run = picker.pick(from: holdings, limit: 7, segment: 16) {
                    #expect(run.count <= 7 && run.lowerBound / 16 == (run.upperBound - 1) / 16)
                    for chunk in run {
                        #expect(model.unlocked.contains(chunk) && !model.verified.contains(chunk) && model.requesters[chunk] ?? 0 == 0 && holdings.contains(chunk))
                        model.requesters[chunk] = 1
                    }
                }
            case 5:
                if picker.addRequester(index) { model.requesters[index, default: 0] += 1 }
            case 6:
                picker.release(index)
                if let requesters = model.requesters[index], requesters > 0 { model.requesters[index] = requesters - 1 }
            case 7:
                let result23 = picker.verified(index)
                #expect(result23 == model.verified.insert(index).inserted)
                model.requesters[index] = 0
            default:
                picker.setPriorities([index..<min(count, index + 5)])
            }
            try #require(model.check(picker), "seed \(seed), step \(step)")
        }
    }

    @Test("fills 262,144 chunks from one holder in far less than a millisecond per request")
    func scale() {
        let count = 1 << 18
        var picker = self.unlocked(count)
        let clock = ContinuousClock()
        let duration = clock.measure {
            while let run = picker.pick(from: .complete, limit: 16, segment: Self.segment) {
                for index in run { picker.verified(index) }
            }
        }
        #expect(picker.isComplete)
        #expect(duration < .seconds(16))
    }
}
