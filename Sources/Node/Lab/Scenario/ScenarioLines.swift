/// On which line of a scenario file what stands, for messages: the parser tells of its own errors only.
///
/// Knows the form that the documentation shows, tables and keys at the beginning of a line. What is written otherwise has no line here.
struct ScenarioLines {
    private struct Place: Hashable {
        /// Empty before the first table.
        var table: String
        /// From 1, among the tables of this name.
        var number: Int
        /// `nil` for the table's head.
        var key: String?
    }

    private var lines: [Place: Int] = [:]

    init(_ text: String) {
        var place = Place(table: "", number: 1, key: nil)
        var counts: [String: Int] = [:]
        var openQuote: String?
        // By bytes: a carriage return and a line feed are one character.
        for (index, bytes) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let line = String(Substring(bytes)).trimmingPrefix { $0.isWhitespace }
            if let quote = openQuote {
                if line.contains(quote) { openQuote = nil }
                continue
            }
            for quote in ["\"\"\"", "'''"] where line.ranges(of: quote).count % 2 == 1 { openQuote = quote }
            if let match = line.prefixMatch(of: /\[\[\s*([\w-]+)\s*\]\]/) {
                let name = String(match.output.1)
                counts[name, default: 0] += 1
                place = Place(table: name, number: counts[name] ?? 1, key: nil)
            } else if let match = line.prefixMatch(of: /\[\s*([\w.-]+)\s*\]/) {
                place = Place(table: String(match.output.1), number: 1, key: nil)
            } else if let match = line.prefixMatch(of: /([\w-]+)\s*[=.]/) {
                var key = place
                key.key = String(match.output.1)
                if self.lines[key] == nil { self.lines[key] = index + 1 }
                continue
            } else {
                continue
            }
            if self.lines[place] == nil { self.lines[place] = index + 1 }
        }
    }

    /// The line of a key or, where that is not known or not given, of its table's head.
    func line(of key: String?, in table: String, number: Int) -> Int? {
        self.lines[Place(table: table, number: number, key: key)] ?? self.lines[Place(table: table, number: number, key: nil)]
    }
}
