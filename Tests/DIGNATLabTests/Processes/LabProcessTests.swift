#if os(Linux)
import Foundation
import Testing

@testable import DIGNATLab

@Suite("Processes of a lab")
struct LabProcessTests {
    private func start(_ script: String) throws -> LabProcess {
        try LabProcess(host: "here", command: ["sh"], spawning: ["sh", "-c", script], environment: ProcessInfo.processInfo.environment)
    }

    @Test("what it prints is kept apart by stream, in order, with a last line that has no end")
    func output() async throws {
        let output = try await self.start("echo one; echo two >&2; printf three; exit 7").wait(timeout: .seconds(20))
        #expect(output.exit == .code(7))
        #expect(output.standardOutput == "one\nthree\n")
        #expect(output.standardError == "two\n")
    }

    @Test("a line is awaited, also one that was printed before")
    func lines() async throws {
        let process = try self.start("echo ready; exec sleep 600")
        for _ in 0..<2 {
            let line = try await process.line(timeout: .seconds(20)) { $0.text == "ready" }
            #expect(line.stream == .standardOutput)
        }
        #expect(process.exit == nil)
        #expect(await process.terminate().exit == .signal(15))
    }

    @Test("waiting ends with the time, with the process, and with the task")
    func waitingEnds() async throws {
        let process = try self.start("echo hello; exec sleep 600")
        await #expect(throws: LabError(.timedOut, "")) { try await process.line(timeout: .milliseconds(50)) { $0.text == "never" } }
        await #expect(throws: LabError(.timedOut, "")) { try await process.wait(timeout: .milliseconds(50)) }
        let task = Task { try await process.wait(timeout: .seconds(600)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        let waiting = Task { try await process.line(timeout: .seconds(600)) { $0.text == "never" } }
        await process.terminate()
        await #expect(throws: LabError(.commandFailed, "")) { try await waiting.value }
    }

    @Test("one that ignores SIGTERM is killed, with what it started")
    func killed() async throws {
        let process = try self.start("trap '' TERM; sleep 600 & echo $!; wait; sleep 600")
        let child = try await process.line(timeout: .seconds(20)) { Int32($0.text) != nil }
        let output = await process.terminate(grace: .milliseconds(100))
        #expect(output.exit == .signal(9))
        // Its child had the same group; once reaped by init it is gone from /proc, until then it is a zombie.
        let state = (try? String(contentsOfFile: "/proc/\(child.text)/stat", encoding: .utf8))?.split(separator: ")").last?.split(separator: " ").first
        #expect(state == nil || state == "Z" || state == "X")
    }

    @Test("a program that is not there is a missing tool")
    func missing() {
        #expect(throws: LabError(.missingTool, "")) {
            try LabProcess(host: "here", command: ["x"], spawning: ["/no/such/program"], environment: [:])
        }
    }
}
#endif
