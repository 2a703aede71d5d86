import Foundation

/// What `${…}` stands for in a scenario's commands.
struct ScenarioVariables {
    private(set) var values: [String: String]

    init(_ values: [String: String] = [:]) { self.values = values }

    mutating func set(_ name: String, to value: String) { self.values[name] = value }

    /// - Parameter asPattern: Whether the text is a regular expression, in which a value stands for itself.
    /// - Throws: ``LabError`` with `.invalidScenario` for a name that stands for nothing.
    func expand(_ text: String, asPattern: Bool = false) throws(LabError) -> String {
        var result = ""
        for part in try Self.parts(of: text) {
            switch part {
            case .text(let text): result += text
            case .variable(let name):
                guard let value = self.values[name] else { throw Self.unknown(name, among: self.values.keys.sorted()) }
                result += asPattern ? NSRegularExpression.escapedPattern(for: value) : value
            }
        }
        return result
    }

    /// The variables that a text uses.
    ///
    /// - Throws: ``LabError`` with `.invalidScenario` if a `}` is missing.
    static func names(in text: String) throws(LabError) -> [String] {
        try self.parts(of: text).compactMap {
            guard case .variable(let name) = $0 else { return nil }
            return name
        }
    }

    static func unknown(_ name: String, among names: [String]) -> LabError {
        LabError(.invalidScenario, "${\(name)} stands for nothing here (a shell's own variables go without braces)" + NameSuggestion.words(for: name, listing: names))
    }

    private enum Part {
        case text(Substring)
        case variable(String)
    }

    private static func parts(of text: String) throws(LabError) -> [Part] {
        var parts: [Part] = []
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            parts.append(.text(rest[..<start.lowerBound]))
            guard let end = rest[start.upperBound...].firstIndex(of: "}") else { throw LabError(.invalidScenario, "\"\(text)\": a } is missing") }
            parts.append(.variable(String(rest[start.upperBound..<end])))
            rest = rest[rest.index(after: end)...]
        }
        return parts + [.text(rest)]
    }
}
