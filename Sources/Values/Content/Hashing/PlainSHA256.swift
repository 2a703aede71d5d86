import Crypto
import Dispatch
import Synchronization

/// The SHA-256 that `sha256sum` prints: a name for a file, not the content hash.
public enum PlainSHA256 {
    private static let pieceByteCount = 1 << 20

    private final class CancellationFlag: Sendable {
        let isSet = Atomic(false)
    }

    /// Hashes the file at `path` as one stream, in constant memory (1 MiB), on one background thread.
    ///
    /// - Parameter progress: Called after each piece, from that thread; `completed` only grows and ends at `total`.
    /// - Throws: ``ContentError`` with `.fileUnreadable`, `.notARegularFile` or `.fileChanged`; `CancellationError` if the task is cancelled,
    ///   within the time of one piece.
    public static func hash(fileAt path: String, progress: (@Sendable (HashProgress) -> Void)? = nil) async throws -> SHA256Digest {
        try Task.checkCancellation()
        let flag = CancellationFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                DispatchQueue.global(qos: .utility).async {
                    continuation.resume(with: Result { try Self.stream(path, flag: flag, progress: progress) })
                }
            }
        } onCancel: {
            flag.isSet.store(true, ordering: .relaxed)
        }
    }

    private static func stream(_ path: String, flag: CancellationFlag, progress: (@Sendable (HashProgress) -> Void)?) throws -> SHA256Digest {
        let file = try ReadableFile(path: path)
        let total = file.stamp.size
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceByteCount, alignment: 4096)
        defer { buffer.deallocate() }
        var hasher = SHA256()
        var done: UInt64 = 0
        if total == 0 { progress?(HashProgress(completed: 0, total: 0)) }
        while done < total {
            if flag.isSet.load(ordering: .relaxed) { throw CancellationError() }
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(UInt64(buffer.count), total - done))])
            try file.read(into: piece, at: done)
            hasher.update(bufferPointer: UnsafeRawBufferPointer(piece))
            done += UInt64(piece.count)
            progress?(HashProgress(completed: done, total: total))
        }
        try file.checkUnchanged()
        return hasher.finalize().withUnsafeBytes { SHA256Digest(bytes: $0) } ?? .zero
    }
}
