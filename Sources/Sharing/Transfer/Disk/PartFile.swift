#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
import DIGContent
import NIOCore
import Synchronization

// lseek(2); Glibc shows them to C only with _GNU_SOURCE.
#if canImport(Darwin)
private let seekHole: CInt = 3
private let seekData: CInt = 4
#else
private let seekData: CInt = 3
private let seekHole: CInt = 4
#endif

/// The file that a download fills: sparse, under a hidden name beside its final place, locked against other processes.
///
/// The name follows from the final name and the content hash, so a later run finds it. Reads and writes block and are
/// called on a thread pool, from several threads at once; ``close(promise:)`` takes effect after the last of them.
final class PartFile: Sendable {
    private struct State {
        var descriptor: CInt
        var useCount = 0
        var isClosing = false
        var closed: EventLoopPromise<Void>?
    }

    let directory: DownloadDirectory
    let partName: String
    let size: UInt64
    /// Whether a file was there before. What it holds is not to be trusted.
    let existed: Bool
    let inode: UInt64
    private let state: Mutex<State>
    private let writes = Atomic(0)

    /// How often bytes were written.
    var writeCount: Int { self.writes.load(ordering: .relaxed) }

    /// Permissions once whole: 0644 without what the umask takes away. Read once: the call that reads the mask also sets it,
    /// for an instant to the strictest.
    private static let finalMode: mode_t = {
        let mask = umask(0o077)
        _ = umask(mask)
        return 0o644 & ~mask
    }()

    static func partName(for name: String, contentHash: ContentHash) -> String {
        // A prefix of the name that leaves room within NAME_MAX, cut between characters.
        var prefix = ""
        for character in name {
            guard prefix.utf8.count + character.utf8.count <= 200 else { break }
            prefix.append(character)
        }
        return ".\(prefix).\(contentHash.description.suffix(16)).part"
    }

    init(in directory: DownloadDirectory, name: String, contentHash: ContentHash, size: UInt64) throws(TransferError) {
        let partName = Self.partName(for: name, contentHash: contentHash)
        let path = directory.path(of: partName)
        let opened = try Self.open(in: directory, partName: partName)
        var status = stat()
        guard fstat(opened, &status) == 0 else { throw Self.failed(opened, .disk(errno, path)) }
        guard let length = off_t(exactly: size) else { throw Self.failed(opened, .disk(EFBIG, path)) }
        if status.st_size != length, ftruncate(opened, length) != 0 { throw Self.failed(opened, .disk(errno, path)) }
        self.directory = directory
        self.partName = partName
        self.size = size
        self.existed = status.st_size > 0
        self.inode = UInt64(status.st_ino)
        self.state = Mutex(State(descriptor: opened))
    }

    deinit {
        let descriptor = self.state.withLock { $0.descriptor }
        if descriptor >= 0 { _ = Self.closeDescriptor(descriptor) }
    }

    private static func closeDescriptor(_ descriptor: CInt) -> CInt {
        #if canImport(Glibc)
        Glibc.close(descriptor)
        #elseif canImport(Musl)
        Musl.close(descriptor)
        #else
        Darwin.close(descriptor)
        #endif
    }

    private static func failed(_ descriptor: CInt, _ error: TransferError) -> TransferError {
        _ = self.closeDescriptor(descriptor)
        return error
    }

    /// Opens and locks. The holder of the lock may have renamed the file between our open and our lock: then the name is another file's.
    private static func open(in directory: DownloadDirectory, partName: String) throws(TransferError) -> CInt {
        let path = directory.path(of: partName)
        for _ in 0..<8 {
            let descriptor = openat(directory.handle.descriptor, partName, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o600)
            guard descriptor >= 0 else { throw .disk(errno, path) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let number = errno
                throw self.failed(
                    descriptor, number == EWOULDBLOCK ? TransferError(.inUse, "\(DisplayText.escaped(path)) is being written by another download") : .disk(number, path))
            }
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw self.failed(descriptor, .disk(errno, path)) }
            guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink <= 1 else {
                throw self.failed(descriptor, TransferError(.unsafePath, "\(DisplayText.escaped(path)) is no ordinary file: move it away"))
            }
            if case .file(_, let inode) = try directory.entry(named: partName), inode == UInt64(status.st_ino), status.st_nlink == 1 { return descriptor }
            _ = self.closeDescriptor(descriptor)
        }
        throw TransferError(.inUse, "\(DisplayText.escaped(path)) is being replaced all the time")
    }

    // MARK: - Use, on any thread

    /// Calls `body` with the descriptor, which stays open meanwhile.
    private func use<Result>(_ body: (CInt) throws(TransferError) -> Result) throws(TransferError) -> Result {
        let descriptor: CInt? = self.state.withLock {
            guard !$0.isClosing else { return nil }
            $0.useCount += 1
            return $0.descriptor
        }
        guard let descriptor else { throw TransferError(.diskFailure, "the download was stopped") }
        defer {
            let finished: (CInt, EventLoopPromise<Void>?)? = self.state.withLock {
                $0.useCount -= 1
                return Self.closeIfIdle(&$0)
            }
            if let finished { self.finishClosing(finished) }
        }
        return try body(descriptor)
    }

    private static func closeIfIdle(_ state: inout State) -> (CInt, EventLoopPromise<Void>?)? {
        guard state.isClosing, state.useCount == 0, state.descriptor >= 0 else { return nil }
        defer {
            state.descriptor = -1
            state.closed = nil
        }
        return (state.descriptor, state.closed)
    }

    private func finishClosing(_ finished: (CInt, EventLoopPromise<Void>?)) {
        _ = Self.closeDescriptor(finished.0)
        finished.1?.succeed()
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(TransferError) {
        self.writes.add(1, ordering: .relaxed)
        let path = self.directory.path(of: self.partName)
        try self.use { (descriptor) throws(TransferError) in try Self.write(bytes, to: descriptor, at: offset, path: path) }
    }

    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt, at offset: UInt64, path: String) throws(TransferError) {
        var done = 0
        while done < bytes.count {
            guard let base = bytes.baseAddress, let position = off_t(exactly: offset + UInt64(done)) else { throw .disk(EFBIG, path) }
            let count = pwrite(descriptor, base + done, bytes.count - done, position)
            if count < 0 {
                if errno == EINTR { continue }
                throw .disk(errno, path)
            }
            done += count
        }
    }

    /// Reads until `buffer` is full or the file ends. Returns the bytes read.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(TransferError) -> Int {
        let path = self.directory.path(of: self.partName)
        return try self.use { (descriptor) throws(TransferError) in
            var done = 0
            while done < buffer.count {
                guard let base = buffer.baseAddress, let position = off_t(exactly: offset + UInt64(done)) else { throw .disk(EFBIG, path) }
                let count = pread(descriptor, base + done, buffer.count - done, position)
                if count < 0 {
                    if errno == EINTR { continue }
                    throw .disk(errno, path)
                }
                if count == 0 { break }
                done += count
            }
            return done
        }
    }

    /// Where the file has bytes; the rest was never written. The whole file where the file system cannot tell.
    func dataExtents() throws(TransferError) -> [Range<UInt64>] {
        let size = self.size
        let path = self.directory.path(of: self.partName)
        return try self.use { (descriptor) throws(TransferError) in
            var extents: [Range<UInt64>] = []
            var position: off_t = 0
            while UInt64(position) < size {
                let start = lseek(descriptor, position, seekData)
                if start < 0 {
                    if errno == ENXIO { break }
                    if errno == EINVAL || errno == EOPNOTSUPP { return [0..<size] }
                    throw .disk(errno, path)
                }
                let end = lseek(descriptor, start, seekHole)
                guard end > start else { return [0..<size] }
                extents.append(UInt64(start)..<min(UInt64(end), size))
                position = end
            }
            return extents
        }
    }

    /// What was written before survives a power cut when this returns.
    func sync() throws(TransferError) {
        let path = self.directory.path(of: self.partName)
        try self.use { (descriptor) throws(TransferError) in
            #if canImport(Darwin)
            let result = fsync(descriptor)
            #else
            let result = fdatasync(descriptor)
            #endif
            guard result == 0 else { throw .disk(errno, path) }
        }
    }

    /// Gives the whole, verified file its name. Nothing that is there is overwritten unless `policy` says so.
    ///
    /// - Returns: The name, which differs from `name` with `.keepBoth`.
    func publish(as name: String, policy: ExistingFilePolicy, isDurable: Bool) throws(TransferError) -> String {
        let path = self.directory.path(of: name)
        if isDurable { try self.sync() }
        try self.use { (descriptor) throws(TransferError) in
            guard fchmod(descriptor, Self.finalMode) == 0 else { throw .disk(errno, path) }
        }
        var published = name
        var number = 2
        while true {
            let entry = try self.directory.entry(named: published)
            if entry == .symbolicLink {
                throw TransferError(.unsafePath, "a symbolic link is in the way of \(DisplayText.escaped(self.directory.path(of: published))): move it away")
            }
            if policy == .replace, case .file = entry {
                try self.rename(to: published)
                break
            }
            if entry == .none, try self.link(as: published) { break }
            guard policy == .keepBoth, number < 10_000 else { throw .disk(EEXIST, path) }
            published = Self.numbered(name, number)
            number += 1
        }
        if isDurable { try self.directory.sync() }
        return published
    }

    /// A link never replaces anything, whoever creates the name at the same moment. Returns false if the name is taken.
    private func link(as name: String) throws(TransferError) -> Bool {
        let descriptor = self.directory.handle.descriptor
        guard linkat(descriptor, self.partName, descriptor, name, 0) == 0 else {
            switch errno {
            case EEXIST:
                return false
            case EPERM, EOPNOTSUPP, ENOSYS, EMLINK, EXDEV:
                // A file system without hard links: the check just before must do.
                try self.rename(to: name)
                return true
            default:
                throw .disk(errno, self.directory.path(of: name))
            }
        }
        _ = unlinkat(descriptor, self.partName, 0)
        return true
    }

    private func rename(to name: String) throws(TransferError) {
        let descriptor = self.directory.handle.descriptor
        guard renameat(descriptor, self.partName, descriptor, name) == 0 else { throw .disk(errno, self.directory.path(of: name)) }
    }

    /// `report.pdf` → `report (2).pdf`, `archive.tar.gz` → `archive.tar (2).gz`, `.profile` → `.profile (2)`.
    static func numbered(_ name: String, _ number: Int) -> String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "\(name) (\(number))" }
        return "\(name[..<dot]) (\(number))\(name[dot...])"
    }

    /// Removes the file: nothing of it is worth keeping.
    func discard() { _ = unlinkat(self.directory.handle.descriptor, self.partName, 0) }

    /// Closes, and gives up the lock, after the last use. `promise` completes then.
    func close(promise: EventLoopPromise<Void>?) {
        let (isClosed, finished): (Bool, (CInt, EventLoopPromise<Void>?)?) = self.state.withLock {
            if $0.descriptor < 0 { return (true, nil) }
            $0.isClosing = true
            if let promise {
                if let earlier = $0.closed { earlier.futureResult.cascade(to: promise) } else { $0.closed = promise }
            }
            return (false, Self.closeIfIdle(&$0))
        }
        if isClosed { promise?.succeed() }
        if let finished { self.finishClosing(finished) }
    }
}
