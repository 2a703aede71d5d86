import Foundation

/// A program of another implementation.
enum Program {
    /// Where `name` is installed; nil, after one line saying so, if it is not.
    static func find(_ name: String, package: String) -> URL? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
        for folder in folders {
            let url = URL(fileURLWithPath: folder).appendingPathComponent(name)
            if FileManager.default.isExecutableFile(atPath: url.path) { return url }
        }
        print("not tested against \(package): \(name) is not installed (apt-get install \(package))")
        return nil
    }

    /// Runs a program to its end.
    ///
    /// - Returns: What it printed, on either output.
    static func output(of program: URL, _ arguments: [String]) async throws -> String {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let reader = output.fileHandleForReading
        // Reading blocks: on a thread of its own. The output ends when the program does.
        let data = await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: (try? reader.readToEnd()) ?? Data()) }
        }
        return String(decoding: data, as: UTF8.self)
    }
}
