#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The directory and file of the database, for their owner alone.
enum DataDirectory {
    /// Makes the directory and those above it, mode 0700; leaves one that exists as it is.
    static func make(_ path: String) throws(StorageError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else { throw self.failure(path) }
        try self.make(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw self.failure(path) }
    }

    /// Waits until no other process is between ``lock(_:)`` and ``unlock(_:)``. The lock goes with the process, too.
    static func lock(_ directory: String) throws(StorageError) -> Int32 {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw self.failure(directory) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                defer { close(descriptor) }
                throw self.failure(directory)
            }
        }
        return descriptor
    }

    static func unlock(_ descriptor: Int32) {
        close(descriptor)
    }

    /// SQLite gives its `-wal` and `-shm` files the mode of the database, so that one is made first, mode 0600.
    static func makeFile(_ path: String) throws(StorageError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw self.failure(path) }
        // An older file may have been made with another mode. Where modes don't exist, as on FAT, this fails and changes nothing.
        _ = fchmod(descriptor, 0o600)
        close(descriptor)
    }

    private static func failure(_ path: String) -> StorageError {
        let code = errno
        let reason = String(cString: strerror(code))
        if code == ENOSPC || code == EDQUOT { return StorageError(.diskFull, "\(path): \(reason); free some space and start again") }
        return StorageError(.notWritable, "\(path): \(reason); check its permissions or choose another data directory")
    }
}
