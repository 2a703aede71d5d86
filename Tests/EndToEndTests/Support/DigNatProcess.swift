import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The real executable, running.
final class DigNatProcess: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// What it has said and how it ended.
    struct State: Sendable, CustomStringConvertible {
        var output = Data()
        var errors = Data()
        /// Lines of output that are JSON objects.
        var events: [JSON] = []
        /// Negative: the signal that ended it.
        var exitCode: Int32?
        var openPipes = 2
        fileprivate var line = Data()

        var outputText: String { String(decoding: self.output, as: UTF8.self) }
        var errorText: String { String(decoding: self.errors, as: UTF8.self) }
        var hasEnded: Bool { self.exitCode != nil && self.openPipes == 0 }
        var description: String {
            let code = self.exitCode.map { "ended with \($0)" } ?? "runs"
            return "it \(code)\n--- output\n\(String(decoding: self.output.suffix(4096), as: UTF8.self))\n--- errors\n\(String(decoding: self.errors.suffix(4096), as: UTF8.self))"
        }
        func first(_ event: String, where condition: (JSON) -> Bool = { _ in true }) -> JSON? {
            self.events.first { $0.event == event && condition($0) }
        }
        var last: JSON { self.events.last ?? .null }
    }

    let state = Watched(State())
    private let process: Process

    /// - Parameters:
    ///   - launcher: A command that runs the rest of its arguments, such as `ip netns exec …`.
    ///   - observer: Called with the bytes of standard output so far, at each read.
    init(
        _ arguments: [String], environment: [String: String], workingDirectory: String, launcher: [String] = [],
        observer: (@Sendable (Data) -> Void)? = nil
    ) throws {
        let executable = try Self.executable()
        let process = Process()
        var words = launcher + [executable] + arguments
        if let first = words.first, !first.hasPrefix("/") { words.insert("/usr/bin/env", at: 0) }
        process.executableURL = URL(fileURLWithPath: words.removeFirst())
        process.arguments = words
        process.environment = environment
        process.currentDirectoryURL = URL(fileURLWithPath: workingDirectory)
        let (output, errors) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        self.process = process
        let state = self.state
        process.terminationHandler = { process in
            let code = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
            state.update { $0.exitCode = code }
        }
        try process.run()
        Self.read(output.fileHandleForReading) { data in
            state.update { state in
                guard let data else { return state.openPipes -= 1 }
                state.output += data
                observer?(state.output)
                state.line += data
                while let end = state.line.firstIndex(of: UInt8(ascii: "\n")) {
                    if state.line.first == UInt8(ascii: "{"), let event = try? JSONDecoder().decode(JSON.self, from: state.line[..<end]) {
                        state.events.append(event)
                    }
                    state.line = Data(state.line[(end + 1)...])
                }
            }
        }
        Self.read(errors.fileHandleForReading) { data in
            state.update { state in
                guard let data else { return state.openPipes -= 1 }
                state.errors += data
            }
        }
    }

    deinit {
        if self.process.isRunning { kill(self.process.processIdentifier, SIGKILL) }
    }

    /// Calls `body` with what comes, and with nil at the end.
    private static func read(_ handle: FileHandle, _ body: @escaping @Sendable (Data?) -> Void) {
        Thread.detachNewThread {
            while case let data = handle.availableData, !data.isEmpty { body(data) }
            body(nil)
        }
    }

    // MARK: Waiting

    /// The first event of that name, now or later.
    func event(_ name: String, within limit: Duration = .seconds(60), where condition: @escaping @Sendable (JSON) -> Bool = { _ in true }) async throws -> JSON {
        let found = try await self.state.wait(for: "the event \"\(name)\"", within: limit) { state -> JSON? in
            state.first(name, where: condition) ?? (state.hasEnded ? .some(.null) : nil)
        }
        guard found != .null else { throw Failure(description: "no event \"\(name)\": \(self.state.value)") }
        return found
    }

    /// How it ended, with everything it said.
    @discardableResult
    func end(within limit: Duration = .seconds(60)) async throws -> State {
        try await self.state.wait(for: "the end of the process", within: limit) { $0.hasEnded ? $0 : nil }
    }

    // MARK: Signals

    var processID: Int32 { self.process.processIdentifier }

    func signal(_ number: Int32) {
        if self.process.isRunning { kill(self.process.processIdentifier, number) }
    }

    /// As a power cut would end it.
    func killed() async throws {
        self.signal(SIGKILL)
        try await self.end()
    }

    // MARK: The executable

    /// Beside the tests, or where `DIG_NAT` says.
    static func executable() throws -> String {
        if let path = ProcessInfo.processInfo.environment["DIG_NAT"] { return path }
        var candidates = [URL(fileURLWithPath: CommandLine.arguments[0]), Bundle.main.bundleURL]
        if let option = CommandLine.arguments.firstIndex(of: "--test-bundle-path"), option + 1 < CommandLine.arguments.count {
            candidates.insert(URL(fileURLWithPath: CommandLine.arguments[option + 1]), at: 0)
        }
        for var candidate in candidates {
            for _ in 0..<4 {
                candidate.deleteLastPathComponent()
                let path = candidate.appendingPathComponent("dig-nat").path
                var isDirectory: ObjCBool = false
                if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue { return path }
            }
        }
        throw Failure(description: "dig-nat is not beside the tests: build it, or name it in DIG_NAT")
    }
}
