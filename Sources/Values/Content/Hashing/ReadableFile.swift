#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A regular file opened for reading at given offsets; closed with the last reference.
final class ReadableFile: Sendable {
    let path: String
    let descriptor: Int32
    /// When it was opened.
    let stamp: FileStamp

    /// - Throws: ``ContentError`` with `.fileUnreadable` or `.notARegularFile`.
    init(path: String) throws(ContentError) {
        // Non-blocking, so that a pipe is refused and not waited for; it means nothing for regular files.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unreadable(path, errno) }
        do {
            self.stamp = try FileStamp(ofDescriptor: descriptor, path: path)
        } catch {
            _ = close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
        #if os(Linux)
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
        #endif
    }

    deinit {
        _ = close(self.descriptor)
    }

    /// Fills `buffer` from `offset`.
    ///
    /// - Throws: ``ContentError`` with `.fileUnreadable`, or `.fileChanged` if the file ends before the buffer is full.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(ContentError) {
        var done = 0
        while done < buffer.count {
            guard let base = buffer.baseAddress else { return }
            let count = pread(self.descriptor, base + done, buffer.count - done, off_t(offset) + off_t(done))
            if count > 0 {
                done += count
            } else if count == 0 {
                throw ContentError(.fileChanged, "\(DisplayText.escaped(self.path)) became shorter while it was read")
            } else if errno != EINTR {
                throw .unreadable(self.path, errno)
            }
        }
    }

    /// Checks that the open file, and the one at the path, are still as they were when opened.
    ///
    /// - Throws: ``ContentError`` with `.fileChanged`, `.fileUnreadable` or `.notARegularFile`.
    func checkUnchanged() throws(ContentError) {
        guard try FileStamp(ofDescriptor: self.descriptor, path: self.path) == self.stamp, try FileStamp(ofFileAt: self.path) == self.stamp else {
            throw ContentError(.fileChanged, "\(DisplayText.escaped(self.path)) changed while it was read")
        }
    }
}
