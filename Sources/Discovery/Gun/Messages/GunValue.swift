/// What a key of a node holds.
public enum GunValue: Hashable, Sendable {
    /// Nothing: how a value is deleted.
    case null
    case bool(Bool)
    /// Finite.
    case number(Double)
    case text(ExactText)
    /// Another node, by its soul.
    case link(ExactText)

    public static func text(_ string: String) -> GunValue { .text(ExactText(string)) }

    /// The text, when it is one.
    public var string: String? {
        guard case .text(let text) = self else { return nil }
        return text.string
    }

    /// A value of the wire; nil for what none can be: arrays, objects that are no link, numbers that are none.
    init?(_ json: GunJSON) {
        switch json {
        case .null: self = .null
        case .bool(let bool): self = .bool(bool)
        case .number(let number):
            guard number.isFinite else { return nil }
            self = .number(number)
        case .string(let text): self = .text(text)
        case .object(let members):
            guard members.count == 1, case .string(let soul)? = members["#"] else { return nil }
            self = .link(soul)
        case .array: return nil
        }
    }

    var json: GunJSON {
        switch self {
        case .null: .null
        case .bool(let bool): .bool(bool)
        case .number(let number): .number(number)
        case .text(let text): .string(text)
        case .link(let soul): .object(["#": .string(soul)])
        }
    }

    var byteCount: Int {
        switch self {
        case .null, .bool, .number: 8
        case .text(let text), .link(let text): text.byteCount
        }
    }

    /// What gun.js counts for `%` of a query: a text's code units, 9 for everything else and for no text.
    var queryCost: Int {
        guard case .text(let text) = self else { return 9 }
        let count = text.string.utf16.count
        return count == 0 ? 9 : count
    }
}
