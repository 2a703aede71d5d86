/// Finds what somebody probably meant to write.
enum Suggestion {
    /// The closest of `candidates`, if it is close enough to be worth naming: two edits, or a third of the letters.
    static func closest(to word: String, among candidates: [String]) -> String? {
        let best = candidates.map { (distance: self.distance(word, $0), candidate: $0) }.min { $0.distance < $1.distance }
        guard let best, best.distance <= max(2, word.count / 3) else { return nil }
        return best.candidate
    }

    /// Levenshtein distance.
    static func distance(_ first: String, _ second: String) -> Int {
        let columns = Array(second)
        var row = Array(0...columns.count)
        for (i, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in columns.indices {
                let change = diagonal + (letter == columns[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(change, row[j] + 1, diagonal + 1)
            }
        }
        return row[columns.count]
    }
}
