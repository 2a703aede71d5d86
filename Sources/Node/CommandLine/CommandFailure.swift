/// Why a command failed, for the person who ran it: one line what happened, one line what to do next.
public struct CommandFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var status: CommandStatus
    /// What happened, with the names involved; no full stop, no line break.
    public var what: String
    /// What came of each thing that was tried, if many were.
    public var details: [String]
    /// What to try next; `nil` only if there is nothing to do.
    public var next: String?

    public init(_ status: CommandStatus, _ what: String, details: [String] = [], next: String?) {
        self.status = status
        self.what = what
        self.details = details
        self.next = next
    }

    /// From the message of one of our errors, which has the form "what happened; what to do next" with one more line for each detail.
    ///
    /// - Parameter advice: What to do next, if the message has nothing to say about it.
    public init(_ status: CommandStatus, message: String, advice: String?) {
        var lines = message.split(separator: "\n").map(String.init)
        let first = lines.isEmpty ? message : lines.removeFirst()
        self.status = status
        self.details = lines.map { String($0.drop { $0 == " " }) }
        if let separator = first.firstRange(of: "; ") {
            self.what = String(first[..<separator.lowerBound])
            self.next = String(first[separator.upperBound...])
        } else {
            self.what = first
            self.next = advice
        }
    }

    /// As printed on standard error.
    public var description: String {
        var lines = ["dig-nat: \(TerminalText.singleLine(self.what))"]
        lines += self.details.map { "    \(TerminalText.singleLine($0))" }
        if let next = self.next { lines.append("  → \(TerminalText.singleLine(next))") }
        return lines.joined(separator: "\n")
    }

    /// As printed with `--json`.
    public var event: JSONObject {
        [
            "event": "error", "exit": .integer(Int64(self.status.rawValue)), "code": .string(self.status.name),
            "message": .string(self.what), "details": .array(self.details.map(JSONValue.string)),
            "next": self.next.map(JSONValue.string) ?? .null,
        ]
    }
}
