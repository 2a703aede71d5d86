#if os(Linux)
import Foundation
import Glibc
import Synchronization

/// A program running on a host of the lab, in a process group of its own.
///
/// Its output is collected line by line with the time of each. Whoever lets go of it without ``terminate(grace:)`` leaves it to
/// ``Lab/down()``, which ends everything in the lab's namespaces.
public final class LabProcess: Sendable {
    public let host: String
    public let command: [String]
    public let pid: Int32
    public let started: ContinuousClock.Instant

    /// Lines kept; what is printed beyond is read and dropped.
    public static let maximumLineCount = 200_000
    /// A line is broken here.
    public static let maximumLineLength = 1 << 20

    private struct State {
        var lines: [LabLine] = []
        var partial: [[UInt8]] = [[], []]
        var outputEnded = false
        var exit: LabExit?
        var ended: ContinuousClock.Instant?
        /// Set only once the output was read as well.
        var isFinished = false
        var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextWatcher = 0
    }

    private let state = Mutex(State())

    init(host: String, command: [String], spawning arguments: [String], environment: [String: String]) throws(LabError) {
        self.host = host
        self.command = command
        let child = try Spawn.start(arguments, environment: environment, output: .pipes)
        self.pid = child.pid
        self.started = .now
        Blocking.detach { [self] in
            PipeReader.read(child.standardOutput, child.standardError) { self.received($1, on: $0) }
            self.change { state in
                for index in 0...1 where !state.partial[index].isEmpty { Self.append(state.partial[index], on: index, to: &state) }
                state.partial = [[], []]
                state.outputEnded = true
                state.isFinished = state.exit != nil
            }
        }
        Blocking.detach { [self] in
            Spawn.waitWithoutReaping(self.pid)
            // Under the lock, so that no signal is sent to a pid that has been given away.
            self.change { state in
                state.exit = Spawn.reap(self.pid)
                state.ended = .now
                state.isFinished = state.outputEnded
            }
            // A grandchild may hold the pipes open.
            usleep(300_000)
            self.change { $0.isFinished = true }
        }
    }

    // MARK: What it printed

    /// All lines so far, in the order they were read.
    public var lines: [LabLine] { self.state.withLock { $0.lines } }

    /// `nil` while it runs.
    public var exit: LabExit? { self.state.withLock { $0.isFinished ? $0.exit : nil } }

    /// The first line, also of those printed before, for which `condition` holds.
    ///
    /// - Throws: ``LabError`` with `.timedOut` or, if it ended without such a line, `.commandFailed`, both with the last lines printed;
    ///   `CancellationError`.
    public func line(timeout: Duration = .seconds(30), where condition: @escaping @Sendable (LabLine) -> Bool) async throws -> LabLine {
        let seen = Mutex(0)
        let found: LabLine?? = try await self.wait(timeout: timeout) { state in
            let start = seen.withLock { $0 }
            if let line = state.lines[start...].first(where: condition) { return .some(.some(line)) }
            seen.withLock { $0 = state.lines.count }
            return state.isFinished ? .some(.none) : nil
        }
        guard let found else { throw LabError(.timedOut, "\(self.label): the line waited for did not come within \(timeout)\(self.tail)") }
        guard let line = found else { throw LabError(.commandFailed, "\(self.label) ended (\(self.exitText)) without the line waited for\(self.tail)") }
        return line
    }

    // MARK: Its end

    /// Waits until it ends by itself.
    ///
    /// - Throws: ``LabError`` with `.timedOut` (it goes on running then); `CancellationError`.
    public func wait(timeout: Duration = .seconds(600)) async throws -> LabOutput {
        guard try await self.wait(timeout: timeout, until: { $0.isFinished ? true : nil }) != nil else {
            throw LabError(.timedOut, "\(self.label) still runs after \(timeout)\(self.tail)")
        }
        return self.output
    }

    /// Sends a signal to it and to all that it started and that stayed in its group; nothing happens if it has ended.
    public func send(signal: Int32) {
        self.state.withLock { state in
            if state.exit == nil { _ = kill(-self.pid, signal) }
        }
    }

    /// Ends it: SIGTERM, and SIGKILL after `grace`. Goes through to the end also in a cancelled task.
    @discardableResult
    public func terminate(grace: Duration = .seconds(5)) async -> LabOutput {
        self.send(signal: SIGTERM)
        let task = Task { (try? await self.wait(timeout: grace)) != nil }
        if await task.value == false {
            self.send(signal: SIGKILL)
            _ = await Task { try? await self.wait(timeout: .seconds(10)) }.value
        }
        return self.output
    }

    // MARK: Inside

    private var output: LabOutput {
        self.state.withLock { LabOutput(exit: $0.exit ?? .code(-1), lines: $0.lines, duration: ($0.ended ?? .now) - self.started) }
    }

    private var label: String { "\(self.host): \(self.command.first.map { ($0 as NSString).lastPathComponent } ?? "")" }
    private var exitText: String { self.state.withLock { $0.exit?.description ?? "still running" } }
    private var tail: String { self.lines.suffix(6).map { "\n    \($0.stream.rawValue)| \($0.text)" }.joined() }

    private func received(_ bytes: ArraySlice<UInt8>, on index: Int) {
        self.change { state in
            for byte in bytes {
                if byte == UInt8(ascii: "\n") || state.partial[index].count >= Self.maximumLineLength {
                    Self.append(state.partial[index], on: index, to: &state)
                    state.partial[index] = []
                    if byte == UInt8(ascii: "\n") { continue }
                }
                state.partial[index].append(byte)
            }
        }
    }

    private static func append(_ bytes: [UInt8], on index: Int, to state: inout State) {
        guard state.lines.count < Self.maximumLineCount else { return }
        var text = String(decoding: bytes, as: UTF8.self)
        if text.hasSuffix("\r") { text.removeLast() }
        state.lines.append(LabLine(stream: index == 0 ? .standardOutput : .standardError, text: text, instant: .now))
    }

    private func change(_ body: (inout State) -> Void) {
        let watchers = self.state.withLock { state in
            body(&state)
            return Array(state.watchers.values)
        }
        for watcher in watchers { watcher.yield() }
    }

    /// - Returns: `nil` after the timeout.
    private func wait<T: Sendable>(timeout: Duration, until check: @escaping @Sendable (borrowing State) -> T?) async throws -> T? {
        let (changes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let identifier = self.state.withLock { state in
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = continuation
            return state.nextWatcher
        }
        defer { self.state.withLock { _ = $0.watchers.removeValue(forKey: identifier) } }
        return try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask {
                if let value = self.state.withLock({ check($0) }) { return value }
                for await _ in changes {
                    if let value = self.state.withLock({ check($0) }) { return value }
                }
                try Task.checkCancellation()
                return nil
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }
}
#endif
