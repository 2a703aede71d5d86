/// What a node does for others.
public enum KademliaMode: Hashable, Sendable {
    /// Asks only: for nodes that others can't reach, or that shall do little.
    case client
    /// Answers too, and gets into the tables of others: for nodes whose reachability is proven.
    case server
}
