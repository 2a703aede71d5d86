import DIGCommandLine

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Asks for a password at the terminal, where it is not shown.
enum PasswordPrompt {
    /// Ours: far longer than anybody types.
    static let maximumByteCount = 1024
    /// How often it is looked whether the command was cancelled.
    private static let pollInterval: Int32 = 200

    /// - Returns: What was typed, without the line end.
    /// - Throws: ``CommandFailure`` if there is no terminal, or the line is too long; `CancellationError` after Ctrl-C.
    static func ask(_ question: String) throws -> String {
        let terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard terminal >= 0 else { throw CommandFailure(.usage, "a password is needed, and there is no terminal to ask for it at", next: "put it into a file and say --password-file FILE") }
        defer { close(terminal) }
        var before = termios()
        guard tcgetattr(terminal, &before) == 0 else { throw CommandFailure(.usage, "a password is needed, and the terminal cannot be asked", next: "put it into a file and say --password-file FILE") }
        var silent = before
        // Byte by byte and without signals: whatever ends the question, the terminal is put back as it was.
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        guard tcsetattr(terminal, TCSAFLUSH, &silent) == 0 else { throw CommandFailure(.usage, "the terminal would show the password", next: "put it into a file and say --password-file FILE") }
        defer {
            _ = tcsetattr(terminal, TCSAFLUSH, &before)
            StandardOutput.write("\n", to: terminal)
        }
        StandardOutput.write(question, to: terminal)
        var line: [UInt8] = []
        while let byte = try self.next(terminal) {
            guard try self.take(byte, into: &line) else { break }
            guard line.count <= self.maximumByteCount else { throw CommandFailure(.usage, "the password is too long", next: nil) }
        }
        try Task.checkCancellation()
        return String(decoding: line, as: UTF8.self)
    }

    /// - Returns: Nil at the end of the input.
    private static func next(_ terminal: Int32) throws -> UInt8? {
        while true {
            try Task.checkCancellation()
            var poller = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, self.pollInterval) > 0 else { continue }
            var byte: UInt8 = 0
            let count = read(terminal, &byte, 1)
            if count == 1 { return byte }
            guard count < 0, errno == EINTR || errno == EAGAIN else { return nil }
        }
    }

    /// Edits a line as a terminal does.
    ///
    /// - Returns: Whether the line goes on.
    /// - Throws: `CancellationError` for Ctrl-C.
    static func take(_ byte: UInt8, into line: inout [UInt8]) throws -> Bool {
        switch byte {
        case 0x0a, 0x0d: return false
        case 0x03, 0x1c: throw CancellationError()
        case 0x04 where line.isEmpty: throw CancellationError()
        case 0x04: return false
        case 0x15: line.removeAll()
        case 0x08, 0x7f:
            // A character of UTF-8 goes as a whole.
            while let last = line.popLast(), last & 0xc0 == 0x80 {}
        default: line.append(byte)
        }
        return true
    }
}
