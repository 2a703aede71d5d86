import DIGCommandLine
import Synchronization

/// Everything a command prints, from any thread.
///
/// Results go to standard output, progress and messages to standard error; with `--json` everything is an event on standard output. If
/// standard output carries a file, all of it goes to standard error.
final class Console: Sendable {
    let isJSON: Bool
    let isQuiet: Bool
    private let resultDescriptor: Int32
    private let presenter: Mutex<ProgressPresenter>
    private let environment: [String: String]

    private static let messageDescriptor: Int32 = 2

    /// - Parameter logs: Whether log lines are printed too: a bar would be torn by them.
    init(isJSON: Bool, isQuiet: Bool, logs: Bool, fileOnStandardOutput: Bool = false, environment: [String: String]) {
        self.isJSON = isJSON
        self.isQuiet = isQuiet
        self.resultDescriptor = fileOnStandardOutput ? 2 : 1
        self.environment = environment
        let terminal = Terminal(descriptor: Self.messageDescriptor, environment: environment)
        let style: ProgressPresenter.Style =
            if isJSON { .json } else if isQuiet { .silent } else if terminal.isInteractive, !logs { .bar(terminal) } else { .lines }
        self.presenter = Mutex(ProgressPresenter(style: style))
    }

    /// What the command was run for.
    func result(_ lines: String, event: JSONObject) {
        self.presenter.withLock { presenter in
            Self.clear(&presenter)
            StandardOutput.write((self.isJSON ? event.text : lines) + "\n", to: self.resultDescriptor)
        }
    }

    /// Something worth knowing on the way.
    func note(_ line: String) {
        guard !self.isJSON, !self.isQuiet else { return }
        self.message(line)
    }

    /// For programs only.
    func event(_ event: JSONObject) {
        guard self.isJSON else { return }
        self.presenter.withLock { _ in StandardOutput.write(event.text + "\n", to: self.resultDescriptor) }
    }

    func warning(_ text: String) {
        if self.isJSON {
            self.event(["event": "warning", "message": .string(text)])
        } else if !self.isQuiet {
            self.message("dig-nat: warning: \(TerminalText.singleLine(text))")
        }
    }

    func failure(_ failure: CommandFailure) {
        if self.isJSON { self.event(failure.event) } else { self.message(failure.description) }
    }

    /// A line on standard error, whatever the options are.
    func message(_ line: String) {
        self.presenter.withLock { presenter in
            Self.clear(&presenter)
            StandardOutput.write(line + "\n", to: Self.messageDescriptor)
        }
    }

    func progress(_ snapshot: ProgressSnapshot) {
        self.presenter.withLock { presenter in
            if case .bar = presenter.style {
                presenter.resized(to: Terminal(descriptor: Self.messageDescriptor, environment: self.environment))
            }
            guard let output = presenter.update(snapshot, now: ContinuousClock.now) else { return }
            StandardOutput.write(output, to: self.isJSON ? self.resultDescriptor : Self.messageDescriptor)
        }
    }

    /// Takes the bar away until there is more to say.
    func clearProgress() {
        self.presenter.withLock { Self.clear(&$0) }
    }

    private static func clear(_ presenter: inout ProgressPresenter) {
        if let output = presenter.interrupted() { StandardOutput.write(output, to: self.messageDescriptor) }
    }
}
