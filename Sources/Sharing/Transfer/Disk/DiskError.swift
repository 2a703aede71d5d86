#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
import DIGContent

/// An error number of the system, as the cause of a ``TransferError``.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `errno`.
    public var number: Int32

    public init(number: Int32) { self.number = number }

    public var description: String { String(cString: strerror(self.number)) }
}

extension TransferError {
    /// What a failed system call means for a download.
    ///
    /// - Parameters:
    ///   - number: `errno` right after the call.
    ///   - path: What was to be opened, written or renamed.
    static func disk(_ number: Int32, _ path: String) -> TransferError {
        let path = DisplayText.escaped(path)
        let cause = SystemError(number: number)
        switch number {
        case ENOSPC, EDQUOT:
            return TransferError(.diskFull, "no space left for \(path): free some and start again, what is verified is kept", cause: cause)
        case EACCES, EPERM, EROFS:
            return TransferError(.notWritable, "\(path) may not be written: choose another directory or change its permissions", cause: cause)
        case ENOENT:
            return TransferError(.notWritable, "\(path) does not exist: create it or choose another directory", cause: cause)
        case ELOOP, ENOTDIR:
            return TransferError(.unsafePath, "a symbolic link or a file is in the way of \(path): move it away", cause: cause)
        case EEXIST, EISDIR:
            return TransferError(.alreadyExists, "\(path) exists already: choose another name or move it away", cause: cause)
        case EFBIG:
            return TransferError(.tooLarge, "\(path) is larger than its file system or the process's limit allows", cause: cause)
        case ENAMETOOLONG:
            return TransferError(.unsafePath, "the name \(path) is too long for the file system", cause: cause)
        default:
            return TransferError(.diskFailure, "\(path) could not be written", cause: cause)
        }
    }
}
