import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Ctrl-C, SIGTERM and SIGHUP: the first cancels, and whoever built a lab takes it down; the second ends the process at once.
enum Interruption {
    static let signals = [SIGINT, SIGTERM, SIGHUP]

    /// Signals that follow the first so soon are the same wish: timeout(1), for one, signals the process and then its group.
    private static let echoInterval: Duration = .milliseconds(250)

    /// - Returns: The signal, if one came, whether `body` minded it or not.
    static func run(
        _ body: @escaping @Sendable () async throws -> Void, onFirst: @escaping @Sendable () -> Void, onSecond: @escaping @Sendable (Int32) -> Void
    ) async -> (signal: Int32?, result: Result<Void, any Error>) {
        // A reader that goes away must not end the process and leave a lab behind.
        signal(SIGPIPE, SIG_IGN)
        let task = Task(operation: body)
        let received = Mutex<(signal: Int32, at: ContinuousClock.Instant)?>(nil)
        let queue = DispatchQueue(label: "natlab.signal")
        let sources = self.signals.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                let now = ContinuousClock.now
                let first = received.withLock { received in
                    defer { received = received ?? (number, now) }
                    return received
                }
                guard let first else {
                    onFirst()
                    task.cancel()
                    return
                }
                guard now - first.at >= Self.echoInterval else { return }
                onSecond(number)
                _exit(128 + number)
            }
            source.resume()
            return source
        }
        let result = await task.result
        for source in sources { source.cancel() }
        return (received.withLock { $0?.signal }, result)
    }

    /// For a program that takes this process's place: signals are its own again.
    static func restoreDefaults() {
        for number in self.signals + [SIGPIPE] { signal(number, SIG_DFL) }
    }
}
