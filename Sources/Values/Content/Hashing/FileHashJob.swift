import Dispatch
import Synchronization

/// One file being hashed by several threads, each taking the next piece when it is done with one.
final class FileHashJob: Sendable {
    private struct State {
        var nextPiece = 0
        var runningThreads = 0
        /// The chunk hashes, in place.
        var hashes: [UInt8]
        /// The first failure or the cancellation; no piece is taken afterwards.
        var failure: (any Error)?
        var continuation: CheckedContinuation<[UInt8], any Error>?
    }

    private let file: ReadableFile
    private let layout: ChunkLayout
    private let progress: (@Sendable (HashProgress) -> Void)?
    private let state: Mutex<State>
    /// Bytes reported; held while the callback runs, so that reports come one at a time and in order.
    private let reported = Mutex<UInt64>(0)

    init(file: ReadableFile, layout: ChunkLayout, progress: (@Sendable (HashProgress) -> Void)?) {
        self.file = file
        self.layout = layout
        self.progress = progress
        self.state = Mutex(State(hashes: [UInt8](repeating: 0, count: layout.chunkCount * SHA256Digest.byteCount)))
    }

    private var pieceCount: Int {
        Int((self.layout.fileSize + UInt64(FileHasher.pieceByteCount) - 1) / UInt64(FileHasher.pieceByteCount))
    }

    /// Returns the chunk hashes, 32 bytes each. Call once.
    func run(threadCount: Int) async throws -> [UInt8] {
        let threads = min(threadCount, self.pieceCount)
        guard threads > 0 else {
            self.progress?(HashProgress(completed: 0, total: 0))
            return []
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.state.withLock { state in
                    state.continuation = continuation
                    state.runningThreads = threads
                }
                // Reading blocks, so it may not happen on the threads of Swift's own pool.
                let queue = DispatchQueue(label: "dig.file-hasher", qos: .utility, attributes: .concurrent)
                for _ in 0..<threads {
                    queue.async { self.work() }
                }
            }
        } onCancel: {
            self.fail(CancellationError())
        }
    }

    private func fail(_ error: any Error) {
        self.state.withLock { state in
            if state.failure == nil { state.failure = error }
        }
    }

    private func work() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: FileHasher.pieceByteCount, alignment: 4096)
        defer { buffer.deallocate() }
        var hasher = ChunkHasher()
        var digests = [SHA256Digest](repeating: .zero, count: FileHasher.pieceByteCount / self.layout.chunkByteCount)
        do {
            while let piece = self.takePiece() {
                try self.hash(piece: piece, buffer: buffer, hasher: &hasher, digests: &digests)
            }
        } catch {
            self.fail(error)
        }
        self.threadFinished()
    }

    private func takePiece() -> Int? {
        self.state.withLock { state in
            guard state.failure == nil, state.nextPiece < self.pieceCount else { return nil }
            defer { state.nextPiece += 1 }
            return state.nextPiece
        }
    }

    private func hash(
        piece: Int, buffer: UnsafeMutableRawBufferPointer, hasher: inout ChunkHasher, digests: inout [SHA256Digest]
    ) throws(ContentError) {
        let start = UInt64(piece) * UInt64(FileHasher.pieceByteCount)
        let count = Int(min(UInt64(FileHasher.pieceByteCount), self.layout.fileSize - start))
        let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        try self.file.read(into: bytes, at: start)

        let chunkCount = (count + self.layout.chunkByteCount - 1) / self.layout.chunkByteCount
        try digests.withUnsafeMutableBufferPointer { (digests) throws(ContentError) in
            let places = UnsafeMutableBufferPointer(rebasing: digests[..<chunkCount])
            try hasher.hash(consecutive: UnsafeRawBufferPointer(bytes), layout: self.layout, into: places)
        }
        let offset = piece * (FileHasher.pieceByteCount / self.layout.chunkByteCount) * SHA256Digest.byteCount
        digests.withUnsafeBytes { source in
            self.state.withLock { state in
                state.hashes.replaceSubrange(
                    offset..<offset + chunkCount * SHA256Digest.byteCount, with: source[..<(chunkCount * SHA256Digest.byteCount)])
            }
        }
        guard let progress = self.progress else { return }
        self.reported.withLock { reported in
            reported += UInt64(count)
            progress(HashProgress(completed: reported, total: self.layout.fileSize))
        }
    }

    private func threadFinished() {
        let ended: (CheckedContinuation<[UInt8], any Error>, Result<[UInt8], any Error>)? = self.state.withLock { state in
            state.runningThreads -= 1
            guard state.runningThreads == 0, let continuation = state.continuation else { return nil }
            state.continuation = nil
            let result: Result<[UInt8], any Error> = if let failure = state.failure { .failure(failure) } else { .success(state.hashes) }
            state.hashes = []
            return (continuation, result)
        }
        if let (continuation, result) = ended { continuation.resume(with: result) }
    }
}
