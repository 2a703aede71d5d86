import DIGIdentity
import Testing

@testable import DIGNatTools

@Suite("What came of a search")
struct SearchLogTests {
    @Test("the latest outcome of each is told, in the order of their names, and why a way of discovery was silent")
    func list() {
        var log = SearchLog()
        #expect(log.isEmpty && log.list.isEmpty && log.silence.isEmpty)
        log.note("b", .connected)
        log.note("b", .disconnected)
        log.note("a", .failed("no route"))
        log.note("c", .leftOut("it said so"))
        log.note("d", .lacks())
        log.note(.dht, isSilent: "no peers")
        #expect(log["b"] == .disconnected)
        #expect(log.list == "\n  a: no route\n  b: disconnected\n  c: left out: it said so\n  d: connected, does not have it")
        #expect(log.silence == "\n  dht: no peers")
    }

    @Test("who was asked and lacks the content is told from who could not be reached")
    func errors() {
        #expect(SearchLog.Outcome(NodeError(.notFound, "does not have it")) == .lacks("does not have it"))
        #expect(SearchLog.Outcome(NodeError(.unreachable, "gone")) == .failed("gone"))
        #expect(SearchLog.Outcome(CancellationError()) == .failed("CancellationError()"))
    }

    @Test("nobody is left when everybody lacks it, was left out, or is one of those named, and not while one could be reached later")
    func nobody() throws {
        let (refusing, other) = (try KeyPair.generate().peerID, try KeyPair.generate().peerID)
        var log = SearchLog()
        #expect(log.hasNobody(besides: []))
        log.note("\(refusing)", .connected)
        #expect(!log.hasNobody(besides: []) && log.hasNobody(besides: [refusing]))
        // By whatever way it was asked.
        log.note("\(other)", .lacks("does not have it"))
        log.note("somebody", .leftOut("it said so"))
        #expect(log.hasNobody(besides: [refusing]))
        for outcome in [SearchLog.Outcome.failed("no route"), .connected, .connectedDirectly, .disconnected] {
            log.note("\(other)", outcome)
            #expect(!log.hasNobody(besides: [refusing]) && log.hasNobody(besides: [refusing, other]))
        }
    }

    @Test("so many are kept and no more, and then it is not said that nobody is left")
    func bounds() {
        var log = SearchLog()
        for number in 0..<SearchLog.maximumCount { log.note("\(number)", .lacks()) }
        #expect(log.hasNobody(besides: []))
        log.note("one more", .lacks())
        #expect(log["one more"] == nil && !log.hasNobody(besides: []))
        log.note("0", .connected)
        #expect(log["0"] == .connected)
    }
}
