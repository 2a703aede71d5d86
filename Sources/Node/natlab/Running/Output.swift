import DIGCommandLine
import DIGNATLab
import Foundation

/// Where results, events and progress go.
struct Output: Sendable {
    let isJSON: Bool

    /// A line of the result.
    func result(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    /// One object a line, only with `--json`.
    func event(_ object: JSONObject) {
        if self.isJSON { self.result(object.text) }
    }

    /// What is being done, on standard error.
    func progress(_ text: String) {
        FileHandle.standardError.write(Data("natlab: \(text)\n".utf8))
    }

    func failure(_ message: String, status: ExitStatus) {
        self.event(["event": "error", "exit": .integer(Int64(status.rawValue)), "message": .string(message)])
        self.progress(message)
    }
}
