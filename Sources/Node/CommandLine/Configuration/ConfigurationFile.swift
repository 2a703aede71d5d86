import TOMLKit

/// The settings written in a TOML file, with the line of each.
public struct ConfigurationFile: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public var value: SettingValue
        public var line: Int?

        public init(value: SettingValue, line: Int?) {
            self.value = value
            self.line = line
        }
    }

    public let path: String
    public let entries: [Setting: Entry]

    /// - Parameters:
    ///   - text: The whole file, TOML 1.0. Keys at the top level only; every key must be a ``Setting``.
    ///   - path: For messages.
    public init(text: String, path: String) throws(ConfigurationError) {
        self.path = path
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw .malformed(path: path, line: error.source.begin.line, column: error.source.begin.column, reason: error.description)
        } catch {
            throw .malformed(path: path, line: 1, column: 1, reason: "\(error)")
        }

        var entries: [Setting: Entry] = [:]
        // In the order of the file, so that the first mistake is the one reported.
        let keys = table.keys.map { (key: $0, line: Self.line(of: $0, in: text)) }.sorted { ($0.line ?? .max, $0.key) < ($1.line ?? .max, $1.key) }
        for (key, line) in keys {
            guard let setting = Setting(rawValue: key) else {
                let suggestion = Suggestion.closest(to: key, among: Setting.allCases.map(\.key))
                throw .unknownKey(path: path, line: line, key: key, suggestion: suggestion)
            }
            guard let node = table[key] else { continue }
            let origin = SettingOrigin.file(path: path, line: line)
            entries[setting] = Entry(value: try Self.value(of: node, for: setting, origin: origin), line: line)
        }
        self.entries = entries
    }

    private static func value(of node: any TOMLValueConvertible, for setting: Setting, origin: SettingOrigin) throws(ConfigurationError) -> SettingValue {
        func fail(_ expected: String, _ found: String) -> ConfigurationError {
            .invalidValue(origin: origin, setting: setting, expected: expected, found: found)
        }
        let type = node.type.description
        switch setting.kind {
        case .path:
            guard let text = node.string else { throw fail("a path in quotes", "of type \(type)") }
            // Relative to what? The place a command happens to be run in is no good answer for a file.
            guard text.hasPrefix("/") || text == "~" || text.hasPrefix("~/") || (setting == .downloadDirectory && text == ".") else {
                throw fail("a path that starts with / or ~/", "\"\(text)\"")
            }
            return .path(text)
        case .addresses:
            guard let array = node.array else { throw fail("a list of addresses in brackets", "of type \(type)") }
            var addresses: [String] = []
            for element in array {
                guard let text = element.string else { throw fail("a list of addresses in quotes", "a list with a value of type \(element.type.description)") }
                addresses.append(text)
            }
            return .addresses(addresses)
        case .rate:
            if let number = node.int {
                guard number > 0 else { throw fail("a number of bytes per second above 0, or \"unlimited\"", "\(number)") }
                return .rate(UInt64(number))
            }
            guard let text = node.string else { throw fail("a rate such as \"500 KiB/s\"", "of type \(type)") }
            do {
                return try SettingValue(text, for: setting)
            } catch {
                throw fail(error.expected, "\"\(text)\"")
            }
        case .bytes:
            if let number = node.int {
                guard number > 0 else { throw fail("a number of bytes above 0, or \"unlimited\"", "\(number)") }
                return .bytes(UInt64(number))
            }
            guard let text = node.string else { throw fail("a number of bytes such as \"20 GiB\"", "of type \(type)") }
            do { return try SettingValue(text, for: setting) } catch { throw fail(error.expected, "\"\(text)\"") }
        case .flag:
            guard let flag = node.bool else { throw fail("true or false, without quotes", "of type \(type)") }
            return .flag(flag)
        case .count(let range):
            guard let count = node.int else { throw fail("a number", "of type \(type)") }
            guard range.contains(count) else { throw fail("a number from \(range.lowerBound) to \(range.upperBound)", "\(count)") }
            return .count(count)
        case .choice:
            guard let text = node.string else { throw fail("a word in quotes", "of type \(type)") }
            do { return try SettingValue(text, for: setting) } catch { throw fail(error.expected, "\"\(text)\"") }
        case .words:
            guard let array = node.array else { throw fail("a list of words in brackets", "of type \(type)") }
            let words = array.map { $0.string ?? "?" }
            do { return try SettingValue(words.joined(separator: ","), for: setting) } catch { throw fail(error.expected, "\(words)") }
        case .name:
            guard let text = node.string else { throw fail("a name in quotes", "of type \(type)") }
            return .name(text)
        }
    }

    /// The first line that gives `key` a value or opens a table of that name. The TOML library keeps no positions; text inside a
    /// multi-line string could mislead this, which costs a wrong line number in a message and nothing else.
    static func line(of key: String, in text: String) -> Int? {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var rest = line.drop { $0 == " " || $0 == "\t" }
            while rest.first == "[" { rest = rest.dropFirst().drop { $0 == " " || $0 == "\t" } }
            let quote = rest.first
            if quote == "\"" || quote == "'" { rest = rest.dropFirst() }
            guard rest.hasPrefix(key) else { continue }
            rest = rest.dropFirst(key.count)
            if quote == "\"" || quote == "'" {
                guard rest.first == quote else { continue }
                rest = rest.dropFirst()
            }
            rest = rest.drop { $0 == " " || $0 == "\t" }
            if let next = rest.first, next == "=" || next == "." || next == "]" { return index + 1 }
        }
        return nil
    }
}
