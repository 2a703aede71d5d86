import DIGContent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A file open for reading. Every call may block: only for a thread pool.
///
/// A symbolic link is followed, since the owner chose the path; what it leads to must be the file that was hashed, so a link that
/// is bent later is noticed as a change.
final class FileReader: Sendable {
    let path: String
    /// Nil: a file that this process is still writing, which has no lasting stamp.
    let stamp: FileStamp?
    private let descriptor: CInt

    /// - Parameter inode: Of a file without stamp; nil: any.
    /// - Throws: ``FileReadError``; `.changed` if the file is not the one that was stamped.
    init(path: String, stamp: FileStamp?, inode: UInt64? = nil) throws(FileReadError) {
        // O_NONBLOCK: a pipe in the file's place must not hang the thread; it has no effect on a regular file.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw FileReadError(errno: errno) }
        guard let actual = try? FileStamp(ofDescriptor: descriptor), stamp == nil || actual == stamp, inode == nil || actual.inode == inode else {
            close(descriptor)
            throw .changed
        }
        self.path = path
        self.stamp = stamp
        self.descriptor = descriptor
    }

    deinit { close(self.descriptor) }

    /// Checks that the path still leads to the file that was stamped, with its bytes untouched. One system call.
    ///
    /// Called after a read, so that bytes written before or during the read are noticed and what was read is thrown away.
    func checkUnchanged() throws(FileReadError) {
        guard let stamp = self.stamp else { return }
        guard let actual = try? FileStamp(ofFileAt: self.path), actual == stamp else { throw .changed }
    }

    /// Fills `bytes` from `offset`.
    ///
    /// - Throws: ``FileReadError`` with `.changed` if the file ends before that.
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(FileReadError) {
        var done = 0
        while done < bytes.count {
            let count = pread(self.descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(clamping: offset + UInt64(done)))
            if count > 0 {
                done += count
            } else if count == 0 {
                throw .changed
            } else if errno != EINTR {
                throw FileReadError(errno: errno)
            }
        }
    }
}
