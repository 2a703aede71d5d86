public import DIGIdentity

/// A list of members that a host keeps under a name.
public struct NamedRing: Hashable, Sendable {
    public var name: String
    public var ring: MemberRing

    public init(name: String, ring: MemberRing) {
        self.name = name
        self.ring = ring
    }
}
