public import DIGCommandLine

/// What came of one step.
public struct StepOutcome: Hashable, Sendable {
    /// From 1.
    public var number: Int
    public var name: String?
    public var text: String
    /// Why it is not as it should be; `nil` if it is.
    public var failure: String?
    public var duration: Duration
    /// What a program in the foreground printed.
    public var output: LabOutput?

    public var isSuccess: Bool { self.failure == nil }

    public var json: JSONObject {
        var object: JSONObject = [
            "event": "step", "number": .integer(Int64(self.number)), "name": self.name.map(JSONValue.string) ?? .null, "text": .string(self.text),
            "ok": .boolean(self.isSuccess), "failure": self.failure.map(JSONValue.string) ?? .null, "seconds": .number(self.duration / .seconds(1)),
        ]
        if let output {
            object["exit"] = .string(output.exit.description)
            object["lines"] = .array(output.lines.suffix(200).map { .string("\($0.stream.rawValue)| \($0.text)") })
        }
        return object
    }
}
