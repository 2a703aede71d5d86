import Testing

@testable import DIGNATLab

@Suite("Delay specifications")
struct DelaySpecificationTests {
    @Test("two interfaces, microseconds, and a loss that may be left out")
    func read() {
        let specification = DelaySpecification("d0n=d0f:20000:0.25")
        #expect(specification?.near == "d0n")
        #expect(specification?.far == "d0f")
        #expect(specification?.delay == .milliseconds(20))
        #expect(specification?.loss == 0.25)
        #expect(DelaySpecification("a=b:0")?.loss == 0)
    }

    @Test("anything else is refused", arguments: ["", "a=b", "a:1", "a=b=c:1", "a=a:1", "=b:1", "a=:1", "a=b:-1", "a=b:5000001", "a=b:x", "a=b:1:1", "a=b:1:-0.1", "a=b:1:0.1:2", "a=b:1:nan", "abcdefghijklmnop=b:1"])
    func refused(text: String) {
        #expect(DelaySpecification(text) == nil)
    }
}
