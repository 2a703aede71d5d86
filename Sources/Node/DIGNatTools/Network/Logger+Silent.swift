public import Logging

extension Logger {
    /// Says nothing: the default where no logger is given.
    public static var silent: Logger { Logger(label: "dig-nat-tools") { _ in SwiftLogNoOpLogHandler() } }
}
