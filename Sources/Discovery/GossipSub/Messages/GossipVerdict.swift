/// What the application thinks of a message (gossipsub v1.1, "Extended Validators").
public enum GossipVerdict: Hashable, Sendable {
    /// It is delivered here, and passed on.
    case accept
    /// It is neither delivered nor passed on, and nobody is to blame: it is late, or this node can't tell yet.
    case ignore
    /// As ``ignore``, and whoever brought it should have known: its score goes down (P₄).
    case reject
}
