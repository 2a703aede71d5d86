import DIGContent
import NIOCore
import Testing

@testable import DIGTransfer

@Suite("answers that are due")
struct DueAnswersTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let hashes = HashRequest(layer: 2, index: 0, count: 1, proofLayers: 0)
    private static let lack = TransferResponse.hashesUnavailable(HashRequestID(layer: 2, index: 0, count: 1), .busy)
    private static let part = TransferResponse.listingPart(offset: 0, bytes: [1])

    @Test("each is counted against what was asked, and no more of them")
    func counted() {
        var news = NewsBudget(now: self.start)
        let answers: [(TransferRequest, TransferResponse)] = [(.getHashes(Self.hashes), Self.lack), (.getListing(offset: 0, byteCount: 1), Self.part)]
        for (request, response) in answers {
            var due = DueAnswers()
            #expect(due.received(response, isRefused: false, news: &news, now: self.start) == false)
            due.asked(request)
            due.asked(request)
            for isDue in [true, true, false, false] {
                let isAdmitted = due.received(response, isRefused: false, news: &news, now: self.start)
                #expect(isAdmitted == isDue)
            }
            // The refused ones did not count below nothing.
            due.asked(request)
            #expect(due.received(response, isRefused: false, news: &news, now: self.start) == true)
        }
    }

    @Test("what nobody can have asked for is never admitted")
    func never() {
        var news = NewsBudget(now: self.start)
        var due = DueAnswers()
        due.asked(.prove(block: 0, nonce: []))
        due.asked(.describe(ContentHash(digest: .zero), chunkLayer: nil))
        for response in [TransferResponse.proofUnavailable(block: 0, nonce: [], .busy), .resolved(requestID: 0, bindings: [])] {
            #expect(due.received(response, isRefused: false, news: &news, now: self.start) == false)
        }
    }

    @Test("news are admitted up to a budget, and again later; the bitfield asked for costs nothing")
    func news() {
        for response in [TransferResponse.have([]), .bitfield(.complete), .chunksUnavailable(ControlCodecTests.range(0, 1), .busy)] {
            var news = NewsBudget(now: self.start)
            var due = DueAnswers()
            for _ in 0..<NewsBudget.burst { #expect(due.received(response, isRefused: false, news: &news, now: self.start) == true) }
            #expect(due.received(response, isRefused: false, news: &news, now: self.start) == false)
            due.asked(.subscribe)
            #expect(due.received(.bitfield(.complete), isRefused: false, news: &news, now: self.start) == true)
            #expect(due.received(.bitfield(.complete), isRefused: false, news: &news, now: self.start) == false)
            #expect(due.received(response, isRefused: false, news: &news, now: self.start + .seconds(1)) == true)
        }
    }

    @Test("while everything is refused, a refusal leaves its question open, and costs as much as news")
    func refused() {
        var news = NewsBudget(now: self.start)
        var due = DueAnswers()
        due.asked(.getHashes(Self.hashes))
        due.asked(.getListing(offset: 0, byteCount: 1))
        for response in [Self.lack, Self.part] { #expect(due.received(response, isRefused: true, news: &news, now: self.start) == true) }
        for response in [Self.lack, Self.part] { #expect(due.received(response, isRefused: false, news: &news, now: self.start) == true) }
        var count = 2
        while due.received(Self.lack, isRefused: true, news: &news, now: self.start) { count += 1 }
        #expect(count == NewsBudget.burst)
    }
}
