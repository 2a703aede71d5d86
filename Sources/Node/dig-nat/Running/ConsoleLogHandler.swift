import DIGCommandLine
import Logging

/// Log lines on standard error, between updates of the progress.
struct ConsoleLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let console: Console

    init(console: Console, level: Logger.Level) {
        self.console = console
        self.logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let metadata = self.metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        self.console.message("\(event.level): \(TerminalText.singleLine("\(event.message)\(metadata)"))")
    }

    /// `-v` shows what an operator should act on, `-vv` and `-vvv` what a developer looks for.
    static func level(verbosity: Int) -> Logger.Level {
        switch verbosity {
        case ...0: .warning
        case 1: .info
        case 2: .debug
        default: .trace
        }
    }
}
