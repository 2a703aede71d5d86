#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The directory that a file is written in, held open, so that renaming or replacing a directory on the way changes nothing.
///
/// Below the download directory every component is opened relative to the one above and no symbolic link is followed.
final class DownloadDirectory: Sendable {
    let handle: FileHandle
    /// For messages, and for hosts that open the file by name.
    let path: String

    private static let openFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC

    init(_ destination: DownloadDestination) throws(TransferError) {
        var path = destination.directory
        let root = open(path, Self.openFlags)
        guard root >= 0 else { throw .disk(errno, path) }
        var handle = FileHandle(root)
        for component in destination.components.dropLast() {
            path += "/" + component
            if mkdirat(handle.descriptor, component, 0o777) != 0, errno != EEXIST { throw .disk(errno, path) }
            let next = openat(handle.descriptor, component, Self.openFlags | O_NOFOLLOW)
            guard next >= 0 else { throw .disk(errno, path) }
            handle = FileHandle(next)
        }
        self.handle = handle
        self.path = path
    }

    enum Entry: Equatable {
        case none
        case file(size: UInt64, inode: UInt64)
        case symbolicLink
        case other
    }

    /// What is there under `name`, not following a link.
    func entry(named name: String) throws(TransferError) -> Entry {
        var status = stat()
        guard fstatat(self.handle.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return .none }
            throw .disk(errno, self.path(of: name))
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(size: UInt64(max(0, status.st_size)), inode: UInt64(status.st_ino))
        case S_IFLNK: return .symbolicLink
        default: return .other
        }
    }

    func path(of name: String) -> String { self.path + "/" + name }

    /// Renames have reached the disk when this returns.
    func sync() throws(TransferError) {
        // Some file systems refuse to sync a directory; they have no use for it.
        guard fsync(self.handle.descriptor) == 0 || errno == EINVAL || errno == EBADF else { throw .disk(errno, self.path) }
    }
}
