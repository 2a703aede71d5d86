import Foundation
import Synchronization

/// Another implementation, running as a process of its own.
///
/// It reports on standard output, one JSON object a line, with `event` saying what happened.
final class InteropPeer: Sendable {
    /// One line of the peer's report.
    struct Report: Decodable, Sendable {
        var event: String
        var message: String?
        var peer: String?
        var local: String?
        var addresses: [String]?
        var agent: String?
        var protocols: [String]?
        var observed: String?
        var signedPeerRecord: Int?
        var count: Int?
        var bytes: Int?
        var seconds: Double?
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let process: Process
    private let input: FileHandle
    private let lines: AsyncStream<String>
    private let diagnostics: Mutex<Data>

    /// - Parameters:
    ///   - script: Below `Interop/`.
    /// - Throws: ``Failure`` if there is no Python with the peers in it.
    init(script: String, arguments: [String]) throws {
        let python = try Self.python()
        let process = Process()
        process.executableURL = python
        process.arguments = [Self.root.appendingPathComponent("Interop/\(script)").path] + arguments
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()

        self.process = process
        self.input = input.fileHandleForWriting
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        self.lines = lines
        self.diagnostics = Mutex(Data())
        let (results, messages) = (output.fileHandleForReading, errors.fileHandleForReading)
        Thread.detachNewThread {
            var rest = Data()
            while case let data = results.availableData, !data.isEmpty {
                rest += data
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    continuation.yield(String(decoding: rest[..<end], as: UTF8.self))
                    rest = Data(rest[(end + 1)...])
                }
            }
            continuation.finish()
        }
        Thread.detachNewThread { [weak self] in
            while case let data = messages.availableData, !data.isEmpty {
                self?.diagnostics.withLock { $0 = ($0 + data).suffix(4096) }
            }
        }
    }

    /// Runs a script to its end.
    ///
    /// - Returns: What it printed, without the last line break.
    /// - Throws: ``Failure`` with its diagnostics if it fails.
    static func output(of script: String, arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = try Self.python()
        process.arguments = [Self.root.appendingPathComponent("Interop/\(script)").path] + arguments
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let message = try errors.fileHandleForReading.readToEnd() ?? Data()
            throw Failure(description: "\(script) failed: \(String(decoding: message, as: UTF8.self))")
        }
        return String(decoding: text, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    deinit { self.stop() }

    /// Ends the peer.
    func stop() {
        try? self.input.close()
        if self.process.isRunning { self.process.terminate() }
    }

    /// Writes a line to its standard input.
    func send(_ line: String) throws { try self.input.write(contentsOf: Data("\(line)\n".utf8)) }

    /// The reports in order, up to the end of the peer or of the test's time.
    func reports() -> AsyncThrowingMapSequence<AsyncStream<String>, Report> {
        self.lines.map { try JSONDecoder().decode(Report.self, from: Data($0.utf8)) }
    }

    /// Waits for `event` and returns every report up to it.
    func reports(until event: String) async throws -> [Report] {
        var all: [Report] = []
        for try await report in self.reports() {
            all.append(report)
            if report.event == event { return all }
            if report.event == "error" { break }
        }
        let said = String(decoding: self.diagnostics.withLock { $0 }, as: UTF8.self)
        throw Failure(description: "the peer ended before \(event); \(all.last?.message ?? "")\n\(said)")
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func python() throws -> URL {
        let url = ProcessInfo.processInfo.environment["DIG_INTEROP_PYTHON"].map { URL(fileURLWithPath: $0) }
            ?? self.root.appendingPathComponent("Interop/.venv/bin/python")
        guard FileManager.default.isExecutableFile(atPath: url.path) else {
            throw Failure(description: "\(url.path) is missing: run `make setup`, or name a Python that has Interop/requirements.txt in DIG_INTEROP_PYTHON")
        }
        return url
    }
}
