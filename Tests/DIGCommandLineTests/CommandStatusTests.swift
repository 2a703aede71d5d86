import DIGCommandLine
import Testing

@Suite("Command status")
struct CommandStatusTests {
    @Test("keeps its numbers and names, which scripts rely on")
    func numbers() {
        let pinned: [(Int32, String)] = [
            (0, "success"), (1, "failure"), (3, "not-found"), (4, "verification-failed"), (5, "disk"), (6, "refused"), (7, "unreachable"),
            (64, "usage"), (78, "configuration"), (130, "interrupted"), (143, "terminated"),
        ]
        #expect(CommandStatus.allCases.map(\.rawValue) == pinned.map(\.0))
        #expect(CommandStatus.allCases.map(\.name) == pinned.map(\.1))
    }

    @Test("has a line in the table for every case")
    func table() {
        let lines = CommandStatus.table.split(separator: "\n")
        #expect(lines.count == CommandStatus.allCases.count)
        #expect(lines[0] == "    0  done")
        #expect(lines.allSatisfy { $0.count < 80 })
    }

    @Test("a failure is one line what happened and one line what to do next")
    func failure() {
        let failure = CommandFailure(.notFound, "nobody holds \u{1B}[31mx\ny", next: "start the holder")
        #expect(failure.description == "dig-nat: nobody holds \\u{1b}[31mx\\u{a}y\n  → start the holder")
        #expect(
            failure.event.text
                == #"{"event":"error","exit":3,"code":"not-found","message":"nobody holds \u001b[31mx\ny","details":[],"next":"start the holder"}"#)
        #expect(CommandFailure(.failure, "it broke", next: nil).event["next"] == .null)
    }

    @Test("a message is taken apart into what, details and next")
    func message() {
        let failure = CommandFailure(.unreachable, message: "no holder; is it shared?\n  a: refused\n  b: timed out", advice: "other")
        #expect(failure.description == "dig-nat: no holder\n    a: refused\n    b: timed out\n  → is it shared?")
        #expect(CommandFailure(.disk, message: "full", advice: "free some").description == "dig-nat: full\n  → free some")
        #expect(CommandFailure(.disk, message: "", advice: nil).description == "dig-nat: ")
    }
}
