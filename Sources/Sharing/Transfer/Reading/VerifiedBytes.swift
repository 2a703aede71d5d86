import DIGContent
public import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The bytes of a file, or of a part of it, in order, each as soon as it is proven.
///
///     for try await piece in download.bytes() { output.write(piece) }
///
/// What is waited for is asked for first. Ends with the file; throws what ended the download, and `CancellationError` if the
/// iterating task is cancelled. Every iteration is a reader of its own.
public struct VerifiedBytes: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    let download: FileDownload
    let range: Range<UInt64>?

    public func makeAsyncIterator() -> Iterator { Iterator(download: self.download, range: self.range) }

    /// Reads; for one task.
    public struct Iterator: AsyncIteratorProtocol {
        private let download: FileDownload
        private let range: Range<UInt64>?
        private var reader: Reader?
        private var isFinished = false

        init(download: FileDownload, range: Range<UInt64>?) {
            self.download = download
            self.range = range
        }

        /// At most 256 KiB.
        public mutating func next() async throws -> ByteBuffer? {
            guard !self.isFinished else { return nil }
            do {
                let reader: Reader
                if let existing = self.reader {
                    reader = existing
                } else {
                    reader = Reader(download: self.download, id: try await self.download.addReader(self.range).get())
                    self.reader = reader
                }
                if let buffer = try await reader.next() { return buffer }
            } catch {
                self.isFinished = true
                self.reader = nil
                throw error
            }
            self.isFinished = true
            self.reader = nil
            return nil
        }
    }

    /// Gives up its place in the download with its last reference.
    private final class Reader: Sendable {
        let download: FileDownload
        let id: UInt64

        init(download: FileDownload, id: UInt64) {
            self.download = download
            self.id = id
        }

        deinit { self.download.removeReader(self.id) }

        func next() async throws -> ByteBuffer? {
            let download = self.download
            let id = self.id
            let piece = try await withTaskCancellationHandler {
                try Task.checkCancellation()
                return try await download.nextPiece(id).get()
            } onCancel: {
                download.removeReader(id)
            }
            guard let piece else { return nil }
            return try await download.threadPool.runIfActive { try Self.read(piece) }
        }

        private static func read(_ piece: VerifiedPiece) throws -> ByteBuffer {
            var buffer = ByteBufferAllocator().buffer(capacity: piece.range.count)
            let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: piece.range.count) { memory in
                let memory = UnsafeMutableRawBufferPointer(rebasing: memory[..<piece.range.count])
                switch piece.source {
                case .part(let part): return try part.read(into: memory, at: piece.range.lowerBound)
                case .path(let path): return try Self.read(path, into: memory, at: piece.range.lowerBound)
                }
            }
            guard count == piece.range.count else { throw TransferError(.diskFailure, "the file became shorter while it was read") }
            return buffer
        }

        private static func read(_ path: String, into memory: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
            let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else { throw TransferError.disk(errno, path) }
            defer { _ = close(descriptor) }
            var done = 0
            while done < memory.count, let base = memory.baseAddress {
                let count = pread(descriptor, base + done, memory.count - done, off_t(offset) + off_t(done))
                if count < 0 {
                    if errno == EINTR { continue }
                    throw TransferError.disk(errno, path)
                }
                if count == 0 { break }
                done += count
            }
            return done
        }
    }
}
