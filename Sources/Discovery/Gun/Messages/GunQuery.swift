/// What a `get` asks for.
public struct GunQuery: Hashable, Sendable {
    /// Which souls, or keys, are meant.
    public enum Pattern: Hashable, Sendable {
        case exactly(ExactText)
        case lex(GunLex)
    }

    public var soul: Pattern
    /// Nil: the whole node.
    public var key: Pattern?
    /// `%`: how many characters of values the answer to a pattern may have. Nil: the first match only.
    public var limit: Double?
    /// `-`: from the end.
    public var isReversed = false

    public init(soul: Pattern, key: Pattern? = nil, limit: Double? = nil) {
        self.soul = soul
        self.key = key
        self.limit = limit
    }

    public init(soul: String, key: String? = nil) {
        self.init(soul: .exactly(ExactText(soul)), key: key.map { .exactly(ExactText($0)) })
    }
}
