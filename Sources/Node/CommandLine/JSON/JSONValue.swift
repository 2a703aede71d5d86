/// A JSON value (RFC 8259) for output.
public enum JSONValue: Hashable, Sendable {
    case string(String)
    case integer(Int64)
    case unsigned(UInt64)
    /// Not a number and infinity are written as `null`.
    case number(Double)
    case boolean(Bool)
    case null
    case array([JSONValue])
    case object(JSONObject)

    /// The value on one line.
    public var text: String {
        var result = ""
        self.write(to: &result)
        return result
    }

    func write(to output: inout String) {
        switch self {
        case .string(let value): Self.write(value, to: &output)
        case .integer(let value): output += String(value)
        case .unsigned(let value): output += String(value)
        case .number(let value): output += value.isFinite ? "\(value)" : "null"
        case .boolean(let value): output += value ? "true" : "false"
        case .null: output += "null"
        case .array(let values):
            output += "["
            for (index, value) in values.enumerated() {
                if index > 0 { output += "," }
                value.write(to: &output)
            }
            output += "]"
        case .object(let object): object.write(to: &output)
        }
    }

    /// Escapes what JSON requires (RFC 8259 §7), and everything that can steer a terminal or break a line, since the output of
    /// `--json` is also looked at.
    static func write(_ value: String, to output: inout String) {
        output += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            default:
                if TerminalText.isHarmless(scalar) {
                    output.unicodeScalars.append(scalar)
                } else {
                    for unit in Character(scalar).utf16 {
                        let hex = String(unit, radix: 16)
                        output += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                    }
                }
            }
        }
        output += "\""
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}
