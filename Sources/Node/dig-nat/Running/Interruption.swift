import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Ctrl-C and SIGTERM, in one place: the first asks the command to finish, the second ends the process at once.
enum Interruption {
    /// Signals that follow the first so soon are the same wish: timeout(1), for one, signals the process and then its group.
    private static let echoInterval: Duration = .milliseconds(250)

    /// Runs `body` and cancels it at the first signal.
    ///
    /// - Returns: The signal, if one came, whether `body` minded it or not.
    static func run(_ body: @escaping @Sendable () async throws -> Void) async -> (signal: Int32?, result: Result<Void, any Error>) {
        // A reader that goes away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let task = Task(operation: body)
        let received = Mutex<(signal: Int32, at: ContinuousClock.Instant)?>(nil)
        let sources = [SIGINT, SIGTERM].map { number in
            #if canImport(Darwin)
            signal(number, SIG_IGN)  // kqueue still sees it
            #endif
            let source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue(label: "dig-nat.signal"))
            source.setEventHandler {
                let now = ContinuousClock.now
                let first = received.withLock { received in
                    defer { received = received ?? (number, now) }
                    return received
                }
                guard let first else { return task.cancel() }
                if now - first.at >= Self.echoInterval { _exit(128 + number) }
            }
            source.resume()
            return source
        }
        let result = await task.result
        for source in sources { source.cancel() }
        return (received.withLock { $0?.signal }, result)
    }
}
