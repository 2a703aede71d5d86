/// Why a command failed, for the person who ran it: one line what happened, one line what to do next.
public struct CommandFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public var status: ExitStatus
    /// What happened, with the names involved; no full stop, no line break.
    public var what: String
    /// What to try next; `nil` only if there is nothing to do.
    public var next: String?

    public init(_ status: ExitStatus, _ what: String, next: String?) {
        self.status = status
        self.what = what
        self.next = next
    }

    /// As printed on standard error.
    public var description: String {
        let first = "dig-nat: \(TerminalText.singleLine(self.what))"
        guard let next = self.next else { return first }
        return first + "\n  → \(TerminalText.singleLine(next))"
    }

    /// As printed with `--json`.
    public var event: JSONObject {
        [
            "event": "error", "exit": .integer(Int64(self.status.rawValue)), "code": .string(self.status.name),
            "message": .string(self.what), "next": self.next.map(JSONValue.string) ?? .null,
        ]
    }
}
