/// A pattern for souls or keys (GUN's LEX).
public struct GunLex: Hashable, Sendable {
    /// `*`
    public var prefix: ExactText?
    /// `>`, inclusive.
    public var from: ExactText?
    /// `<`, inclusive.
    public var to: ExactText?
    /// `=`
    public var exact: ExactText?
    /// `-`: from the end.
    public var isReversed = false

    public init(prefix: ExactText? = nil, from: ExactText? = nil, to: ExactText? = nil, exact: ExactText? = nil, isReversed: Bool = false) {
        self.prefix = prefix
        self.from = from
        self.to = to
        self.exact = exact
        self.isReversed = isReversed
    }

    public func matches(_ text: ExactText) -> Bool {
        if let exact, text != exact { return false }
        if let prefix, !text.hasPrefix(prefix.string) { return false }
        if let from, text < from { return false }
        if let to, to < text { return false }
        return true
    }
}
