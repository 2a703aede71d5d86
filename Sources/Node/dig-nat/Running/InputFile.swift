import DIGCommandLine
import Foundation

/// A file, or standard input, read whole.
enum InputFile {
    /// - Parameter path: `-` is standard input.
    /// - Returns: At most one byte more than `limit`.
    /// - Throws: ``CommandFailure``.
    static func bytes(_ path: String, limit: Int) throws -> [UInt8] {
        do {
            let handle = path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            var bytes: [UInt8] = []
            while bytes.count <= limit, let data = try handle.read(upToCount: limit + 1 - bytes.count), !data.isEmpty { bytes += data }
            return bytes
        } catch {
            let exists = FileManager.default.fileExists(atPath: path)
            throw CommandFailure(.disk, "\(path) \(exists ? "cannot be read" : "does not exist")", next: "check the path and its permissions")
        }
    }

    /// The first line of a file with a password in it. A line end is not part of a password, a space is.
    static func password(_ path: String) throws -> String {
        let bytes = try self.bytes(path, limit: PasswordPrompt.maximumByteCount)
        let line = bytes.prefix { $0 != 0x0a && $0 != 0x0d }
        guard let text = String(validating: line, as: UTF8.self), line.count <= PasswordPrompt.maximumByteCount else {
            throw CommandFailure(.usage, "\(path) does not hold a password in its first line", next: "write the password, and nothing else, into the file")
        }
        return text
    }
}
