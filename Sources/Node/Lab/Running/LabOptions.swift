/// How a lab is built; the plan says what.
public struct LabOptions: Sendable {
    /// The `natlab` executable, which the lab runs inside its namespaces for delays and probes. `nil`: `NATLAB` of the environment, or
    /// the one beside the running program.
    public var executable: String?
    /// What the lab is for, in `natlab list`.
    public var title: String
    /// Whether it outlives this process.
    public var isStanding: Bool
    /// Told of each step, for progress lines.
    public var progress: @Sendable (String) -> Void

    public init(executable: String? = nil, title: String = "", isStanding: Bool = false, progress: @escaping @Sendable (String) -> Void = { _ in }) {
        self.executable = executable
        self.title = title
        self.isStanding = isStanding
        self.progress = progress
    }
}
