import DIGContent
import NIOCore

/// Puts the chunks that come over a stream into slabs, and says when a slab goes to a job.
///
/// Chunks of one handle that follow each other share a slab. It goes when the next chunk does not belong to it, or when waiting would hold somebody up:
/// nothing more is outstanding than what it holds, the oldest chunk waits longer than ``maximumDelay``, or whoever feeds this says so, as when the stream
/// pauses between two chunks.
///
/// It does nothing itself: `takeSlab` gives an empty slab, or nil if none is free, and is called at most once. A class, so that asking it something for
/// every piece of a chunk never copies it; one owner uses it.
final class ChunkAssembly {
    /// How long a whole chunk may wait for the next one.
    static let maximumDelay: TimeAmount = .milliseconds(5)

    /// Whole chunks to be proven and written.
    struct Batch {
        let slab: ChunkSlab
        let handle: UInt32
    }

    /// What the bytes are that come next.
    private enum Body {
        /// None: the next frame has not begun.
        case none
        /// Of a chunk that goes into the slab, which is there.
        case wanted
        /// Of a chunk that was cancelled, or of a handle that was released.
        case discarded
        /// Of a chunk that has no slab; none is there.
        case waiting(handle: UInt32, chunk: Int, hash: SHA256Digest)
    }

    private struct Filling {
        let slab: ChunkSlab
        var handle: UInt32
        /// When the first of its chunks began.
        var since: NIODeadline
    }

    private var body = Body.none
    private var filling: Filling?
    /// Bytes of chunks that were asked for and are not wanted any more: so many may still come.
    private var lateByteCount = 0

    /// Whether a chunk has begun that has no slab: nothing more is taken before ``slabFreed(now:takeSlab:)``.
    var isWaiting: Bool {
        if case .waiting = self.body { return true }
        return false
    }

    /// Whether no chunk has begun that has not ended.
    var isBetweenChunks: Bool {
        if case .none = self.body { return true }
        return false
    }

    /// Whose chunks the slab has; nil if there is no slab.
    var handle: UInt32? { self.filling?.handle }

    // MARK: - Chunks

    /// A chunk begins. ``isWaiting`` afterwards if there is no slab for it.
    ///
    /// - Parameters:
    ///   - hash: What it must hash to.
    ///   - byteCount: Its length, at most ``ChunkSlab/byteCount``.
    /// - Returns: What was there already, if the chunk does not belong to it.
    func begin(
        _ chunk: Int, handle: UInt32, hash: SHA256Digest, byteCount: Int, now: @autoclosure () -> NIODeadline, takeSlab: () -> ChunkSlab?
    ) -> Batch? {
        var batch: Batch?
        if let filling = self.filling, filling.handle != handle || !filling.slab.hasRoom(for: chunk, byteCount: byteCount), !filling.slab.isEmpty {
            batch = self.takeOut()
        }
        self.place(chunk, handle: handle, hash: hash, now: now(), takeSlab: takeSlab)
        return batch
    }

    private func place(_ chunk: Int, handle: UInt32, hash: SHA256Digest, now: @autoclosure () -> NIODeadline, takeSlab: () -> ChunkSlab?) {
        if self.filling == nil {
            guard let slab = takeSlab() else {
                self.body = .waiting(handle: handle, chunk: chunk, hash: hash)
                return
            }
            self.filling = Filling(slab: slab, handle: handle, since: now())
        } else if self.filling?.handle != handle {
            // An empty one that was meant for another content.
            self.filling?.handle = handle
            self.filling?.since = now()
        }
        self.filling?.slab.begin(chunk, expected: hash)
        self.body = .wanted
    }

    /// So many bytes of chunks are not wanted any more, and may come.
    func expectLate(_ byteCount: Int) { self.lateByteCount += byteCount }

    /// A chunk begins that is not wanted. False if none is expected.
    func beginLate(byteCount: Int) -> Bool {
        guard self.lateByteCount >= byteCount else { return false }
        self.lateByteCount -= byteCount
        self.body = .discarded
        return true
    }

    /// The next bytes of the chunk that has begun.
    func append(_ bytes: ByteBuffer) {
        guard case .wanted = self.body, let slab = self.filling?.slab else { return }
        bytes.withUnsafeReadableBytes { slab.append($0) }
    }

    /// The chunk is whole.
    ///
    /// - Parameter outstandingCount: How many chunks are still to come under the ``handle``.
    /// - Returns: What is there, if it should not wait for more.
    func end(outstandingCount: Int, now: @autoclosure () -> NIODeadline) -> Batch? {
        defer { self.body = .none }
        guard case .wanted = self.body, let filling = self.filling else { return nil }
        filling.slab.end()
        guard outstandingCount < filling.slab.chunkCount || now() - filling.since >= Self.maximumDelay else { return nil }
        return self.takeOut()
    }

    // MARK: - Slabs

    /// Gives what is whole. The part of a chunk that has begun goes on in another slab; if none is free all stays together.
    func flush(now: NIODeadline, takeSlab: () -> ChunkSlab?) -> Batch? {
        guard let filling = self.filling, !filling.slab.isEmpty else { return nil }
        guard case .wanted = self.body else { return self.takeOut() }
        guard let next = takeSlab() else { return nil }
        filling.slab.moveNext(to: next)
        self.filling = Filling(slab: next, handle: filling.handle, since: now)
        return Batch(slab: filling.slab, handle: filling.handle)
    }

    /// A slab may be free.
    ///
    /// - Returns: Whether it was taken; if not, others may have it.
    func slabFreed(now: NIODeadline, takeSlab: () -> ChunkSlab?) -> Bool {
        guard case .waiting(let handle, let chunk, let hash) = self.body else { return false }
        self.place(chunk, handle: handle, hash: hash, now: now, takeSlab: takeSlab)
        return self.filling != nil
    }

    /// The handle is closed. Returns what came whole under it; the slab may be empty.
    func released(_ handle: UInt32) -> Batch? {
        if case .waiting(handle, _, _) = self.body { self.body = .discarded }
        guard self.filling?.handle == handle else { return nil }
        if case .wanted = self.body { self.body = .discarded }
        return self.takeOut()
    }

    /// The stream has ended. Returns what came whole; the slab may be empty.
    func close() -> Batch? {
        self.body = .none
        return self.takeOut()
    }

    private func takeOut() -> Batch? {
        guard let filling = self.filling else { return nil }
        self.filling = nil
        filling.slab.abandonPart()
        return Batch(slab: filling.slab, handle: filling.handle)
    }
}
