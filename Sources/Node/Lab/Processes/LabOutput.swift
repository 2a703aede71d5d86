/// What a process that ended has printed, and how it ended.
public struct LabOutput: Hashable, Sendable {
    public var exit: LabExit
    public var lines: [LabLine]
    /// From the start to the end.
    public var duration: Duration

    public var standardOutput: String { self.text(of: .standardOutput) }
    public var standardError: String { self.text(of: .standardError) }

    private func text(of stream: LabLine.Stream) -> String {
        self.lines.filter { $0.stream == stream }.map { $0.text + "\n" }.joined()
    }
}
