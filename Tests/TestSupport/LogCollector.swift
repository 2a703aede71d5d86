public import Logging
import Synchronization

/// Keeps the messages logged.
public final class LogCollector: Sendable {
    private let messages = Mutex<[String]>([])

    public init() {}

    public var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(collector: self) }
        logger.logLevel = .trace
        return logger
    }

    /// How often `message` was logged.
    public func count(_ message: String) -> Int { self.messages.withLock { $0.count { $0 == message } } }

    private struct Handler: LogHandler {
        let collector: LogCollector
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.collector.messages.withLock { $0.append("\(event.message)") }
        }
    }
}
