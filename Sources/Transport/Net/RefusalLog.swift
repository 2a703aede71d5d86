package import Logging
import Synchronization

/// Writes down who was refused and why, once for each: what a stranger repeats does not fill the log.
package final class RefusalLog: Sendable {
    /// Ours: more are not told apart, and nothing more is written.
    private static let maximumCount = 256

    private let logger: Logger
    private let key: String
    private let level: Logger.Level
    private let refused = Mutex<Set<String>>([])

    /// - Parameters:
    ///   - key: Of the metadata under which each one's name is written, such as `dig.relay.relay`. The reason is under `dig.refusal.reason`.
    ///   - level: `.notice` where this node relied on the one refused, `.info` where a stranger only asked for something.
    package init(_ logger: Logger, naming key: String, level: Logger.Level = .info) {
        self.logger = logger
        self.key = key
        self.level = level
    }

    /// - Parameter who: A peer, a server, a gateway; told apart by its description.
    package func note(_ message: Logger.Message, of who: some CustomStringConvertible, because reason: @autoclosure () -> String) {
        let name = "\(who)"
        let isNew = self.refused.withLock { refused in
            refused.count < Self.maximumCount && refused.insert("\(message) \(name)").inserted
        }
        guard isNew else { return }
        self.logger.log(level: self.level, message, metadata: [self.key: "\(name)", "dig.refusal.reason": "\(reason())"])
    }
}
