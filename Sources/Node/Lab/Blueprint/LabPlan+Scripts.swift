extension LabPlan {
    /// What building the plan would run: first the namespaces and cables, then a script inside each.
    ///
    /// - Throws: ``LabError`` with `.invalidPlan`.
    public func scripts() throws(LabError) -> [(machine: String, script: String)] {
        let blueprint = try Blueprint(self)
        let cables = blueprint.creation(prefix: LabRecord.prefix(of: "xxxxx")).joined(separator: "\n") + "\n"
        return [("namespaces", cables)] + blueprint.machines.map { ($0.name, $0.script) }
    }
}
