#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A hosted file could not be read.
public enum FileReadError: Error, Hashable, Sendable {
    /// There is no file at the path.
    case missing
    /// It is not the file that was hashed: size, modification time or inode differ, or it is no regular file.
    case changed
    /// The system's error number.
    case failed(errno: CInt)

    init(errno: CInt) {
        self = errno == ENOENT || errno == ENOTDIR ? .missing : .failed(errno: errno)
    }

    /// Whether the file is gone or is another: it must be hashed again before it may be served.
    var meansChanged: Bool {
        switch self {
        case .missing, .changed: true
        case .failed: false
        }
    }
}
