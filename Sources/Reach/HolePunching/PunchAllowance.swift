/// What may be tried with one peer, where that differs from ``HolePunchingConfiguration``.
public struct PunchAllowance: Hashable, Sendable {
    /// The method of each attempt, as ``HolePunchingConfiguration/methods``. Empty: punches with the peer fail at once, and its own are refused.
    public var methods: [PunchMethod]
    public var dialsDirectlyToo: Bool

    public init(methods: [PunchMethod], dialsDirectlyToo: Bool) {
        self.methods = methods
        self.dialsDirectlyToo = dialsDirectlyToo
    }

    public static let nothing = Self(methods: [], dialsDirectlyToo: false)
}
