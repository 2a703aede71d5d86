import Foundation

/// A scenario as written in TOML: an internet, and what happens in it. `NATLab/README.md` describes the keys.
public struct ScenarioFile: Hashable, Sendable {
    public var title: String
    public var plan: LabPlan
    public var steps: [ScenarioStep]

    /// - Throws: ``LabError`` with `.invalidScenario`, naming the file.
    public static func read(_ path: String) throws(LabError) -> ScenarioFile {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { throw LabError(.invalidScenario, "\(path): there is no such file") }
        guard !isDirectory.boolValue else { throw LabError(.invalidScenario, "\(path): a folder, not a scenario file") }
        guard let data = FileManager.default.contents(atPath: path) else { throw LabError(.invalidScenario, "\(path): can't be read") }
        guard let text = String(validating: data, as: UTF8.self) else { throw LabError(.invalidScenario, "\(path): is no UTF-8 text") }
        do throws(LabError) {
            return try ScenarioFile(text: text, name: (path as NSString).lastPathComponent)
        } catch {
            throw LabError(error.code, "\(path): \(error.message)")
        }
    }

    /// Reads and checks everything: what is accepted here can be built and carried out.
    ///
    /// - Parameter name: The title if the file gives none.
    /// - Throws: ``LabError`` with `.invalidScenario`, naming line, table and key.
    public init(text: String, name: String) throws(LabError) {
        let document = try ScenarioTable(document: text, keys: ["title", "delay", "public", "home", "carrier", "step"])
        self.title = try document.text("title") ?? name
        self.plan = try LabPlan(document)
        var scope = ScenarioScope(try Blueprint(self.plan), homes: self.plan.homes.map(\.name))
        self.steps = []
        for table in try document.tables("step", keys: ScenarioStep.keys) {
            let step = try ScenarioStep(table)
            try scope.enter(step, from: table)
            self.steps.append(step)
        }
    }
}
