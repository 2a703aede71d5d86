/// Finds the name that somebody probably meant.
enum NameSuggestion {
    /// `; did you mean "alice"?`, or nothing if no candidate is close.
    static func words(for name: String, among candidates: [String]) -> String {
        self.closest(to: name, among: candidates).map { "; did you mean \"\($0)\"?" } ?? ""
    }

    /// A candidate that the name is a part of, or the one with the fewest letters to take out and put in: at most a third of them, and 2 in
    /// any case (letters swapped, or one mistaken).
    static func closest(to name: String, among candidates: [String]) -> String? {
        guard (3...64).contains(name.count) else { return nil }
        if let whole = candidates.first(where: { $0.contains(name) }) { return whole }
        let ranked = candidates.map { (distance: name.difference(from: $0).count, name: $0) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= max(2, name.count / 3) else { return nil }
        return best.name
    }

    /// What an error about an unknown name ends with: the closest, and all there are, which may be many.
    static func words(for name: String, listing candidates: [String]) -> String {
        guard !candidates.isEmpty else { return "; there is none" }
        let shown = candidates.prefix(24).joined(separator: ", ") + (candidates.count > 24 ? " … (\(candidates.count))" : "")
        let closest = self.words(for: name, among: candidates)
        return closest + (closest.isEmpty ? "; there " : " There ") + (candidates.count == 1 ? "is only " : "are ") + shown
    }
}
