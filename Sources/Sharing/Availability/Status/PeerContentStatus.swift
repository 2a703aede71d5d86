/// What this node thinks of a peer's claim to have a content. Raw values are the seed's.
public enum PeerContentStatus: String, Hashable, Sendable, CaseIterable, Codable {
    /// The peer likely has it: connect as usual. What a claim is until there is reason for doubt.
    case available
    /// The peer might not have it: used when nothing better is left.
    case suspect
    /// The peer does not have it: not used at all.
    case unavailable
}
