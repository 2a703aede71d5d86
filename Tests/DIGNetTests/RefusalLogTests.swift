import DIGNet
import DIGTestSupport
import Logging
import Testing

@Suite("Refusal log")
struct RefusalLogTests {
    @Test("each one that is refused is written down once for each thing it did, and no more than 256 times in all")
    func once() {
        let log = LogCollector()
        let refusals = RefusalLog(log.logger, naming: "dig.test.peer")
        for _ in 0..<3 { refusals.note("refused", of: "a", because: "reason") }
        refusals.note("refused", of: "b", because: "reason")
        refusals.note("lied", of: "a", because: "reason")
        #expect(log.count("refused") == 2)
        #expect(log.count("lied") == 1)
        for number in 0..<1_000 { refusals.note("refused", of: number, because: "reason") }
        #expect(log.count("refused") == 255)
    }
}
