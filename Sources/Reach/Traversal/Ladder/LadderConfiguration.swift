/// How a ``LadderStateMachine`` climbs.
public struct LadderConfiguration: Hashable, Sendable {
    public var mode: TraversalMode = .race
    public var preset: TraversalPreset = .dualRole
    /// The methods allowed, in this order. Nil: those of ``preset``, in the order learned on this network.
    public var preferredMethods: [TraversalMethod]?
    /// In a race: the wait before the next method starts beside the ones under way. As between addresses (RFC 8305 §5).
    public var stagger: Duration = .milliseconds(250)
    /// Replaces a method's own budget.
    public var budgets: [TraversalMethod: Duration] = [:]

    public init() {}

    /// Whether a relay may carry more than what is needed to agree on a punch.
    public var allowsRelayedPaths: Bool { self.preferredMethods?.contains { $0.isRelayed } ?? true }

    public func budget(of method: TraversalMethod) -> Duration { self.budgets[method] ?? method.budget }

    /// The methods to try, in order.
    ///
    /// In a race the methods that cost nothing, local and direct, go first whatever was learned; in sequence the order is the one asked for
    /// unless nothing was asked for.
    public func methods(learned statistics: [TraversalMethod: MethodStatistics]) -> [TraversalMethod] {
        if let preferred = self.preferredMethods {
            var seen: Set<TraversalMethod> = []
            return preferred.filter { seen.insert($0).inserted }
        }
        let ordered = statistics.ordered(self.preset.methods)
        guard self.mode == .race else { return ordered }
        let free: [TraversalMethod] = [.local, .direct]
        return free + ordered.filter { !free.contains($0) }
    }
}
