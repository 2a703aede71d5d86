/// What a step may name: the parts of the plan, and what the steps before it have started and saved.
///
/// A step that fails ends the run, so what can be named does not depend on how a run goes.
struct ScenarioScope {
    private let hosts: [String]
    /// Homes and carriers.
    private let routers: [String]
    /// The names of the steps whose program goes on in the background.
    private var running: [String] = []
    /// Set by the lab.
    private let given: [String]
    private var saved: [String] = []

    init(_ blueprint: Blueprint, homes: [String]) {
        self.hosts = blueprint.hosts.map(\.name)
        self.routers = blueprint.plan.homes.map(\.name) + blueprint.plan.carriers.map(\.name)
        self.given =
            ["scenario", "lab"] + homes.map { "\($0).external" }
            + blueprint.hosts.flatMap { ["\($0.name).ip", "\($0.name).dir"] + ($0.ipv6 == nil ? [] : ["\($0.name).ip6"]) }
    }

    /// Checks the next step, and takes note of what it adds.
    ///
    /// - Throws: ``LabError`` with `.invalidScenario`.
    mutating func enter(_ step: ScenarioStep, from table: ScenarioTable) throws(LabError) {
        switch step.action {
        case .run(let run):
            try Self.require(run.host, of: self.hosts, "host", table, "on")
            for word in run.command { try self.checkVariables(word, table, table.has("run") ? "run" : "shell") }
            if let pattern = run.waitFor { try self.checkVariables(pattern, table, "wait_for") }
            if let pattern = run.expects { try self.checkVariables(pattern, table, "expect") }
            for (_, pattern) in run.saves.sorted(by: { $0.key < $1.key }) { try self.checkVariables(pattern, table, "save") }
            for name in run.saves.keys.sorted() {
                guard !self.given.contains(name) else { throw table.fault("save", "${\(name)} is the lab's own") }
                self.saved.append(name)
            }
            if run.isBackground, let name = step.name { self.running.append(name) }
        case .end(let name):
            try Self.require(name, of: self.running, "earlier step in the background with the name", table, "end")
            if let index = self.running.firstIndex(of: name) { self.running.remove(at: index) }
        case .reboot(let name): try Self.require(name, of: self.routers, "home or carrier", table, "reboot")
        case .link(let name, let up): try Self.require(name, of: self.routers + self.hosts.filter { !self.routers.contains($0) }, "home, carrier or host", table, up ? "link_up" : "link_down")
        case .capture(let host, let file, let filter):
            try Self.require(host, of: self.hosts, "host", table, "capture")
            try self.checkVariables(file, table, "file")
            try self.checkVariables(filter, table, "filter")
            if let name = step.name { self.running.append(name) }
        case .pause, .verify: break
        }
    }

    private static func require(_ name: String, of names: [String], _ what: String, _ table: ScenarioTable, _ key: String) throws(LabError) {
        guard !names.contains(name) else { return }
        throw table.fault(key, "there is no \(what) \"\(name)\"" + NameSuggestion.words(for: name, listing: names))
    }

    private func checkVariables(_ text: String, _ table: ScenarioTable, _ key: String) throws(LabError) {
        do throws(LabError) {
            for name in try ScenarioVariables.names(in: text) where !self.given.contains(name) && !self.saved.contains(name) {
                throw ScenarioVariables.unknown(name, among: self.saved + self.given)
            }
        } catch {
            throw table.fault(key, error.message)
        }
    }
}
