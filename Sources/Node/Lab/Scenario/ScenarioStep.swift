/// One thing that happens in a scenario.
public struct ScenarioStep: Hashable, Sendable {
    /// For messages, and to end a background program by.
    public var name: String?
    public var action: Action

    public enum Action: Hashable, Sendable {
        case run(Run)
        /// Ends the background program of the step with this name.
        case end(String)
        case reboot(String)
        case link(String, up: Bool)
        case capture(host: String, file: String, filter: String)
        case pause(Duration)
        /// Measures every home.
        case verify
    }

    public struct Run: Hashable, Sendable {
        public var host: String
        public var command: [String]
        /// Goes on while later steps run, and is ended after the last.
        public var isBackground: Bool
        /// In the background: the step is over when a line matches. `nil`: at once.
        public var waitFor: String?
        /// Must match standard output or standard error.
        public var expects: String?
        /// Name → pattern; the first group, or the whole match, can be used in later steps as `${name}`.
        public var saves: [String: String]
        /// Of a program in the foreground.
        public var exit: Int32
        public var timeout: Duration
    }

    /// What the step does, on one line.
    public var text: String {
        switch self.action {
        case .run(let run): "\(run.host): \(run.command.joined(separator: " "))" + (run.isBackground ? " &" : "")
        case .end(let name): "end \(name)"
        case .reboot(let home): "reboot \(home)"
        case .link(let name, let up): "link of \(name) \(up ? "up" : "down")"
        case .capture(let host, let file, _): "capture on \(host) to \(file)"
        case .pause(let duration): "pause \(duration)"
        case .verify: "verify every NAT"
        }
    }
}
