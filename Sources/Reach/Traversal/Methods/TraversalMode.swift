/// How the methods take turns.
public enum TraversalMode: String, Hashable, Sendable, CaseIterable {
    /// They start staggered, the likeliest first. A relayed path may carry the first bytes while direct ones go on; a direct one wins.
    case race
    /// One after the other, the next when one has failed or its budget is spent.
    case sequential
}
