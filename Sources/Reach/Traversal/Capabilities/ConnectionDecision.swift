/// What to do about a peer, and what if that fails: the connection decision matrix as one pure function.
public struct ConnectionDecision: Hashable, Sendable {
    /// How to begin.
    public enum Approach: String, Hashable, Sendable, CaseIterable {
        /// Its own addresses, mapped ones among them.
        case direct
        /// Punching and whatever else makes a path of one's own.
        case traversal
        /// Somebody else carries the bytes.
        case relay
        /// Everything at once.
        case all
        /// The bootstrap server, as the very last.
        case bootstrap
    }

    /// How soon, compared with others.
    public enum Priority: Int, Hashable, Sendable {
        case high = 1, medium, low, automatic
    }

    public var approach: Approach
    public var priority: Priority
    public var fallback: Approach

    /// - Parameters:
    ///   - tier: As ``CapabilityTable/tier(of:now:)`` gives it.
    ///   - statistics: What worked with this peer before.
    public init(tier: ConnectionTier, statistics: [TraversalMethod: MethodStatistics]) {
        func worksRarely(_ methods: [TraversalMethod]) -> Bool {
            let known = methods.compactMap { statistics[$0] }.filter { $0.attempts > 0 }
            return !known.isEmpty && known.allSatisfy { $0.successProbability < 0.5 }
        }
        switch tier {
        case .directCapable where worksRarely([.local, .direct, .portMapping]):
            self.init(approach: .traversal, priority: .medium, fallback: .relay)
        case .directCapable:
            self.init(approach: .direct, priority: .high, fallback: .traversal)
        case .natRestricted:
            self.init(approach: .relay, priority: .low, fallback: .bootstrap)
        case .unknown:
            self.init(approach: .all, priority: .automatic, fallback: .bootstrap)
        }
    }

    init(approach: Approach, priority: Priority, fallback: Approach) {
        self.approach = approach
        self.priority = priority
        self.fallback = fallback
    }
}
