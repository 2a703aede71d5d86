/// A JSON text as a value. Numbers are JavaScript's: binary64.
enum GunJSON: Hashable, Sendable {
    case null
    case bool(Bool)
    /// Infinite when the text named a number beyond the range, as `JSON.parse` has it.
    case number(Double)
    case string(ExactText)
    case array([GunJSON])
    case object([ExactText: GunJSON])

    /// The member called `name`, when this is an object that has it.
    subscript(_ name: ExactText) -> GunJSON? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }

    var text: ExactText? {
        guard case .string(let text) = self else { return nil }
        return text
    }
}
