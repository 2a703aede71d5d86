import Dispatch

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Hashes files for sharing, on several cores.
///
/// Each thread reads pieces of 1 MiB, which stay in its core's cache until they are hashed. Memory: one piece for each thread and
/// 32 bytes for each chunk, about 7 MiB for a file of 10 GiB on two cores.
public struct FileHasher: Sendable {
    /// The bytes read at a time: a multiple of every chunk size.
    static let pieceByteCount = ChunkLayout.maximumChunkByteCount
    /// More threads wait for memory and disk rather than for hashes.
    static let maximumThreadCount = 8

    private let threadCount: Int

    /// - Parameter threadCount: Threads per file, 1 to 8; `nil` for as many as there are cores.
    public init(threadCount: Int? = nil) {
        self.threadCount = min(max(1, threadCount ?? Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))), Self.maximumThreadCount)
    }

    /// Hashes the file at `path`.
    ///
    /// - Parameters:
    ///   - chunkLayer: 0 to 6, see ``ChunkLayout``; `nil` for the default for the size.
    ///   - progress: Called after each piece, from a background thread, never twice at once; `completed` only grows and ends at `total`.
    /// - Throws: ``ContentError`` with `.fileUnreadable`, `.notARegularFile`, `.fileTooLarge`, `.geometryMismatch`, or `.fileChanged` if the file was
    ///   written to, replaced or truncated meanwhile; `CancellationError` if the task is cancelled, within the time of one piece.
    public func hash(
        fileAt path: String, chunkLayer: Int? = nil, progress: (@Sendable (HashProgress) -> Void)? = nil
    ) async throws -> HashedFile {
        try Task.checkCancellation()
        let file = try ReadableFile(path: path)
        let layout =
            if let chunkLayer { try ChunkLayout(fileSize: file.stamp.size, layer: chunkLayer) } else { try ChunkLayout(fileSize: file.stamp.size) }
        let job = FileHashJob(file: file, layout: layout, progress: progress)
        let hashes = try await job.run(threadCount: self.threadCount)
        try file.checkUnchanged()
        let chunkLayer = try TreeLayer(fileSize: layout.fileSize, layer: layout.treeLayer, rawBytes: hashes)
        return HashedFile(descriptor: try chunkLayer.descriptor(), layout: layout, chunkLayer: chunkLayer, stamp: file.stamp)
    }
}
