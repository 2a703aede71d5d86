/// The conflict resolution of GUN, the Hypothetical Amnesia Machine: which of two values of one key wins. Every peer that sees the same
/// writes, in whatever order, ends with the same value.
public enum HAM {
    /// What becomes of a write.
    public enum Verdict: Hashable, Sendable {
        /// The incoming value takes the place of the known one.
        case taken
        /// Its state is older.
        case historical
        /// The same state and the same or a smaller value.
        case converged
        /// Its state is still to come on this machine's clock: to be decided again then.
        case deferred
    }

    /// - Parameters:
    ///   - known: What the key holds; nil if nothing, which is older than everything.
    ///   - now: Milliseconds since 1970.
    public static func decide(_ incoming: GunEntry, known: GunEntry?, now: Double) -> Verdict {
        if incoming.state > now { return .deferred }
        guard let known else { return .taken }
        if incoming.state < known.state { return .historical }
        if incoming.state > known.state { return .taken }
        return Self.text(known.value) < Self.text(incoming.value) ? .taken : .converged
    }

    /// What is compared: the JSON text, by UTF-16 code units. So `"a" < 5 < null < true < {"#":"x"}`.
    static func text(_ value: GunValue) -> ExactText { ExactText(GunJSONWriter.string(value.json)) }
}
