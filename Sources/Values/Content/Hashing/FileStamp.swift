#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What tells that a file is still the one that was hashed: size, modification time and identity on its file system.
public struct FileStamp: Hashable, Sendable, Codable {
    /// In bytes.
    public var size: UInt64
    /// Since 1970, in nanoseconds.
    public var modificationTimeNanoseconds: Int64
    public var inode: UInt64
    public var device: UInt64

    public init(size: UInt64, modificationTimeNanoseconds: Int64, inode: UInt64, device: UInt64) {
        self.size = size
        self.modificationTimeNanoseconds = modificationTimeNanoseconds
        self.inode = inode
        self.device = device
    }

    /// The stamp of the file at `path`; symbolic links are followed.
    ///
    /// - Throws: ``ContentError`` with `.fileUnreadable` or `.notARegularFile`.
    public init(ofFileAt path: String) throws(ContentError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw .unreadable(path, errno) }
        try self.init(status, path: path)
    }

    /// The stamp of an open file.
    ///
    /// - Throws: ``ContentError`` with `.fileUnreadable` or `.notARegularFile`.
    public init(ofDescriptor descriptor: Int32) throws(ContentError) {
        try self.init(ofDescriptor: descriptor, path: "descriptor \(descriptor)")
    }

    init(ofDescriptor descriptor: Int32, path: String) throws(ContentError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(path, errno) }
        try self.init(status, path: path)
    }

    private init(_ status: stat, path: String) throws(ContentError) {
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ContentError(.notARegularFile, "\(DisplayText.escaped(path)) is not a regular file")
        }
        #if canImport(Darwin)
        let time = status.st_mtimespec
        #else
        let time = status.st_mtim
        #endif
        self.init(
            size: UInt64(max(0, status.st_size)),
            modificationTimeNanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec),
            inode: UInt64(truncatingIfNeeded: status.st_ino), device: UInt64(truncatingIfNeeded: status.st_dev))
    }
}

extension ContentError {
    static func unreadable(_ path: String, _ code: Int32) -> ContentError {
        ContentError(.fileUnreadable, "\(DisplayText.escaped(path)): \(String(cString: strerror(code)))")
    }
}
