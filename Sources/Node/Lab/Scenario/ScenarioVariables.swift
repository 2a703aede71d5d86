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
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            result += rest[..<start.lowerBound]
            guard let end = rest[start.upperBound...].firstIndex(of: "}") else { throw LabError(.invalidScenario, "\"\(text)\": a } is missing") }
            let name = String(rest[start.upperBound..<end])
            guard let value = self.values[name] else {
                throw LabError(.invalidScenario, "${\(name)} stands for nothing; there are \(self.values.keys.sorted().joined(separator: ", "))")
            }
            result += asPattern ? NSRegularExpression.escapedPattern(for: value) : value
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}
