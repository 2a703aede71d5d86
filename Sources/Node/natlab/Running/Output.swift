import DIGCommandLine
import DIGNATLab
import Foundation

/// Where results, events and progress go.
struct Output: Sendable {
    let isJSON: Bool

    /// A line of the result.
    func result(_ text: String) {
        // A reader that has gone away misses the rest; the lab is taken down in order.
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }

    /// One object a line, only with `--json`.
    func event(_ object: JSONObject) {
        if self.isJSON { self.result(object.text) }
    }

    /// What is being done, on standard error.
    func progress(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("natlab: \(text)\n".utf8))
    }

    func failure(_ message: String, status: ExitStatus) {
        self.last(message, status)
        self.progress(message)
    }

    /// Ended by a signal; whoever sent it needs no message but the event.
    func interrupted(_ status: ExitStatus, _ message: String) { self.last(message, status) }

    private func last(_ message: String, _ status: ExitStatus) {
        self.event(["event": "error", "exit": .integer(Int64(status.rawValue)), "code": .string(status.name), "message": .string(message)])
    }
}
