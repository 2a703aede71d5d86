import DIGCommandLine
import TOMLKit

/// One table of a scenario file while it is read. Whatever it says is asked for with its type and range; every mistake becomes an error that
/// names line, table and key.
struct ScenarioTable {
    private let table: TOMLTable
    private let lines: ScenarioLines
    /// As in `[[home]]`; empty for the document.
    private let kind: String
    /// From 1, among the tables of its kind.
    private let number: Int

    /// - Throws: ``LabError`` with `.invalidScenario` if the text is no TOML, or has other keys.
    init(document text: String, keys: [String]) throws(LabError) {
        // The parser takes it for the end of the text.
        guard !text.utf8.contains(0) else { throw LabError(.invalidScenario, "a NUL byte: this is no text") }
        do {
            self.table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw LabError(.invalidScenario, "line \(error.source.begin.line): \(error.description)")
        } catch {
            throw LabError(.invalidScenario, "\(error)")
        }
        self.lines = ScenarioLines(text)
        (self.kind, self.number) = ("", 1)
        try self.refuseKeys(otherThan: keys)
    }

    private init(_ table: TOMLTable, lines: ScenarioLines, kind: String, number: Int, keys: [String]) throws(LabError) {
        (self.table, self.lines, self.kind, self.number) = (table, lines, kind, number)
        try self.refuseKeys(otherThan: keys)
    }

    private func refuseKeys(otherThan known: [String]) throws(LabError) {
        for key in self.keys where !known.contains(key) {
            throw self.fault(nil, at: key, "unknown key \"\(key)\"" + NameSuggestion.words(for: key, listing: known))
        }
    }

    var keys: [String] { self.table.keys.sorted() }

    func has(_ key: String) -> Bool { self.table[key] != nil }

    // MARK: Errors

    /// - Parameters:
    ///   - key: Named before the message.
    ///   - other: The key whose line is meant, where the message names it.
    func fault(_ key: String?, at other: String? = nil, _ message: String) -> LabError {
        var place = self.kind
        if !place.isEmpty {
            place += " \(self.number)"
            if let name = self.table["name"]?.string, !name.isEmpty { place += " (\(Self.shortened(name)))" }
        }
        let line = self.lines.line(of: key ?? other, in: self.kind, number: self.number).map { "line \($0)" }
        let parts = [line, place.isEmpty ? nil : place, key].compactMap { $0 } + [message]
        return LabError(.invalidScenario, TerminalText.singleLine(parts.joined(separator: ": ")))
    }

    private func wrongType(_ key: String, _ value: any TOMLValueConvertible, expected: String) -> LabError {
        self.fault(key, "\(expected) is expected, not \(Self.words(for: value))")
    }

    private static func words(for value: any TOMLValueConvertible) -> String {
        switch value.type {
        case .string: return "the text \"\(Self.shortened(value.string ?? ""))\""
        case .int: return value.int.map { "\($0)" } ?? "a number"
        case .double: return value.double.map { "\($0)" } ?? "a number"
        case .bool: return value.bool.map { "\($0)" } ?? "true or false"
        case .array: return "a list"
        case .table: return "a table"
        case .date, .time, .dateTime: return "a date or time"
        }
    }

    private static func shortened(_ text: String) -> String { text.count > 40 ? "\(text.prefix(40))…" : text }

    // MARK: Values

    func text(_ key: String) throws(LabError) -> String? {
        guard let value = self.table[key] else { return nil }
        guard let text = value.string else { throw self.wrongType(key, value, expected: "a text in quotes") }
        return text
    }

    func requiredText(_ key: String) throws(LabError) -> String {
        guard let text = try self.text(key) else { throw self.fault(nil, "\(key) is missing") }
        return text
    }

    /// One of an enumeration's words.
    func word<Word: RawRepresentable & CaseIterable>(_ key: String, _: Word.Type) throws(LabError) -> Word? where Word.RawValue == String {
        guard let text = try self.text(key) else { return nil }
        guard let word = Word(rawValue: text) else {
            let words = Word.allCases.map(\.rawValue)
            throw self.fault(key, "\"\(Self.shortened(text))\" is none of \(words.joined(separator: ", "))" + NameSuggestion.words(for: text, among: words))
        }
        return word
    }

    func flag(_ key: String) throws(LabError) -> Bool? {
        guard let value = self.table[key] else { return nil }
        guard let flag = value.bool else { throw self.wrongType(key, value, expected: "true or false") }
        return flag
    }

    func whole(_ key: String, from range: ClosedRange<Int>) throws(LabError) -> Int? {
        guard let value = self.table[key] else { return nil }
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let number = value.int, range.contains(number) else { throw self.wrongType(key, value, expected: expected) }
        return number
    }

    /// TOML tells `20` from `20.0`; people do not.
    ///
    /// - Parameter unit: For messages.
    func number(_ key: String, from range: ClosedRange<Double>, _ unit: String) throws(LabError) -> Double? {
        guard let value = self.table[key] else { return nil }
        guard let number = value.double ?? value.int.map(Double.init), range.contains(number) else {
            func text(_ bound: Double) -> String { bound == bound.rounded() ? "\(Int(bound))" : "\(bound)" }
            throw self.wrongType(key, value, expected: "a number from \(text(range.lowerBound)) to \(text(range.upperBound))\(unit)")
        }
        return number
    }

    /// A list of texts, the first not empty.
    func command(_ key: String) throws(LabError) -> [String]? {
        guard let value = self.table[key] else { return nil }
        guard let array = value.array else { throw self.wrongType(key, value, expected: "a list of texts") }
        var words: [String] = []
        for index in 0..<array.count {
            let element = array[index]
            guard let word = element.string else { throw self.fault(key, "word \(index + 1): a text in quotes is expected, not \(Self.words(for: element))") }
            words.append(word)
        }
        guard words.first?.isEmpty == false else { throw self.fault(key, "which program?") }
        return words
    }

    /// A table of texts.
    func texts(_ key: String) throws(LabError) -> [String: String]? {
        guard let value = self.table[key] else { return nil }
        guard let table = value.table else { throw self.wrongType(key, value, expected: "a table of texts") }
        var texts: [String: String] = [:]
        for name in table.keys {
            guard let entry = table[name] else { continue }
            guard let text = entry.string else { throw self.fault(key, "\(name): a text in quotes is expected, not \(Self.words(for: entry))") }
            texts[name] = text
        }
        return texts
    }

    /// The tables `[[kind]]`.
    func tables(_ kind: String, keys: [String]) throws(LabError) -> [ScenarioTable] {
        guard let value = self.table[kind] else { return [] }
        guard let array = value.array else { throw self.wrongType(kind, value, expected: "a list of tables, each with the head [[\(kind)]],") }
        var tables: [ScenarioTable] = []
        for index in 0..<array.count {
            guard let table = array[index].table else { throw self.wrongType(kind, array[index], expected: "a list of tables, each with the head [[\(kind)]],") }
            tables.append(try ScenarioTable(table, lines: self.lines, kind: kind, number: index + 1, keys: keys))
        }
        return tables
    }
}
