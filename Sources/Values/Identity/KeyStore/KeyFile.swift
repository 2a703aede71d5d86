#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif
import DIGMultiformats

/// A file with one private key in libp2p's form (peer-ids, "Keys"), readable by its owner only.
public struct KeyFile: Sendable {
    /// Longer than the longest key.
    private static let maximumByteCount = 16_384

    public var path: String

    public init(path: String) {
        self.path = path
    }

    /// Reads the key.
    ///
    /// - Throws: ``KeyFileError`` with `.notFound`, `.tooPermissive`, `.invalidContent` or `.system`.
    public func load() throws(KeyFileError) -> KeyPair {
        // Without waiting: a pipe in its place is refused below.
        let descriptor = open(self.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            if code == ENOENT { throw KeyFileError(.notFound, "there is no key file \(self.path)") }
            throw self.systemError("cannot be opened", code)
        }
        defer { close(descriptor) }
        // The open file is looked at, not the name, so that it cannot be changed for another in between.
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw self.systemError("cannot be examined", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw KeyFileError(.invalidContent, "the key file \(self.path) is not a regular file")
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw KeyFileError(
                .tooPermissive,
                "the key file \(self.path) has mode \(mode), so others can get at the private key; run: chmod 600 '\(self.path)'")
        }
        let bytes = try self.read(descriptor)
        do throws(IdentityError) {
            return try KeyPair(protobufEncoded: bytes)
        } catch {
            throw KeyFileError(.invalidContent, "the key file \(self.path) does not hold a private key: \(error.message)")
        }
    }

    /// Stores the key in a new file of mode 0600: whole or not at all, on disk when this returns.
    ///
    /// - Throws: ``KeyFileError`` with `.alreadyExists` or `.system`.
    public func create(_ keyPair: KeyPair) throws(KeyFileError) {
        let temporary = "\(self.path).\(Base16.encode((0..<8).map { _ in UInt8.random(in: 0...255) }))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw self.systemError("cannot be created", errno) }
        defer { unlink(temporary) }
        try self.fill(descriptor, with: keyPair)
        // Unlike rename(2), link(2) never replaces a key that another process has stored meanwhile.
        guard link(temporary, self.path) == 0 else {
            let code = errno
            if code == EEXIST { throw KeyFileError(.alreadyExists, "the key file \(self.path) exists already") }
            throw self.systemError("cannot be put in place", code)
        }
        try self.synchronizeFolder()
    }

    /// Writes the key to disk and closes the file.
    private func fill(_ descriptor: Int32, with keyPair: KeyPair) throws(KeyFileError) {
        defer { close(descriptor) }
        // open(2) applies the umask, which may take away more than is wanted.
        guard fchmod(descriptor, 0o600) == 0 else { throw self.systemError("cannot be given mode 600", errno) }
        try self.write(keyPair.protobufEncoded, to: descriptor)
        guard fsync(descriptor) == 0 else { throw self.systemError("cannot be written to disk", errno) }
    }

    /// Reads the key, or stores a new one if there is no file. Of several processes that start at once, all get the same.
    ///
    /// - Throws: ``KeyFileError``, as ``load()``.
    public func loadOrCreate(_ algorithm: KeyAlgorithm = .ed25519) throws(KeyFileError) -> KeyPair {
        do throws(KeyFileError) {
            return try self.load()
        } catch {
            guard error.code == .notFound else { throw error }
        }
        let keyPair: KeyPair
        do throws(IdentityError) { keyPair = try KeyPair.generate(algorithm) } catch {
            throw KeyFileError(.system, "a key could not be made: \(error.message)")
        }
        do throws(KeyFileError) {
            try self.create(keyPair)
            return keyPair
        } catch {
            guard error.code == .alreadyExists else { throw error }
            return try self.load()
        }
    }

    private func read(_ descriptor: Int32) throws(KeyFileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.maximumByteCount)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Self.retryingInterrupted { sysRead(descriptor, UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])) }
            }
            guard count >= 0 else { throw self.systemError("cannot be read", errno) }
            guard count > 0 else { return Array(bytes.prefix(filled)) }
            filled += count
        }
        throw KeyFileError(.invalidContent, "the key file \(self.path) is too long for a private key")
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) throws(KeyFileError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Self.retryingInterrupted { sysWrite(descriptor, UnsafeRawBufferPointer(rebasing: buffer[written...])) }
            }
            guard count > 0 else { throw self.systemError("cannot be written", errno) }
            written += count
        }
    }

    /// A new name in a folder is lost with the power unless the folder is written too.
    private func synchronizeFolder() throws(KeyFileError) {
        let folder = self.path.lastIndex(of: "/").map { String(self.path[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw self.systemError("is in a folder that cannot be opened", errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw self.systemError("is in a folder that cannot be written to disk", errno) }
    }

    private func systemError(_ what: String, _ code: Int32) -> KeyFileError {
        KeyFileError(.system, "the key file \(self.path) \(what): \(String(cString: strerror(code)))")
    }

    private static func retryingInterrupted(_ call: () -> Int) -> Int {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }
}

// The methods above have the names of the system's calls.
private func sysRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}
private func sysWrite(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) -> Int {
    write(descriptor, buffer.baseAddress, buffer.count)
}
