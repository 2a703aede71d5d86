import DIGContent
import DequeModule
import NIOCore

/// The host's side of one session: which contents are open, which chunks are owed, what is read ahead.
///
/// Whoever runs it feeds requests and completions, and after each drains, until each gives nil:
/// ``pollEffect()``, ``pollJob()``, ``pollRead()``, and, while the stream takes bytes, ``pollResponse()`` and
/// ``nextFrameByteCount`` with ``takeFrame()``.
///
///     getChunks ─▶ pending ranges of the handle ─▶ (round robin) pieces being read ─▶ pieces ready ─▶ frames
///                  ≤ 4096 chunks per session        └───── ≤ read-ahead bytes ─────┘
///
/// Everything is bounded: at a limit on chunks the request is refused, at a limit on requests ``wantsRequests`` turns false.
struct HostSessionStateMachine {
    /// The bits of ``Piece/skipped``.
    static let maximumPieceChunkCount = 64

    let limits: HostSessionLimits
    var handles: [UInt32: Handle] = [:]
    /// Handles with pending chunks, in the order of their turn.
    var turns: Deque<UInt32> = []
    var pieces: Deque<Piece> = []
    var jobs: Deque<PendingJob> = []
    var runningJobs: [UInt64: PendingJob] = [:]
    var responses: Deque<(handle: UInt32, response: TransferResponse)> = []
    var queuedResponseByteCount = 0
    var effects: Deque<HostEffect> = []
    var nextID: UInt64 = 0
    var runningReadCount = 0
    /// Requests inside ``Handle/State/lookingUp(_:chunkLayer:waiting:)``.
    var waitingRequestCount = 0
    /// Of the pieces read and not yet written.
    var spareBuffers: Deque<ByteBuffer> = []

    /// Chunks asked for and neither written nor refused nor cancelled.
    var outstandingChunkCount = 0
    /// Of the pieces being read or ready.
    var bufferedByteCount = 0

    init(limits: HostSessionLimits = HostSessionLimits()) {
        self.limits = limits
    }

    var handleCount: Int { self.handles.count }

    /// Whether requests may be fed. False at the limits on requests and responses: then the stream is not to be read.
    var wantsRequests: Bool {
        self.jobs.count + self.runningJobs.count + self.waitingRequestCount < self.limits.pendingRequestCount
            && self.hasRoomForResponses
    }

    var hasRoomForResponses: Bool {
        self.responses.count < self.limits.queuedResponseCount && self.queuedResponseByteCount < self.limits.queuedResponseByteCount
    }

    /// Whether nothing is owed to the client.
    var isIdle: Bool { self.jobs.isEmpty && self.runningJobs.isEmpty && self.responses.isEmpty && self.pieces.isEmpty && self.turns.isEmpty }

    // MARK: - outputs

    mutating func pollEffect() -> HostEffect? { self.effects.popFirst() }

    mutating func pollResponse() -> (handle: UInt32, response: TransferResponse)? {
        guard let next = self.responses.popFirst() else { return nil }
        self.queuedResponseByteCount -= next.response.approximateByteCount
        return next
    }

    /// The next job, while few run and the answers of those before have left.
    mutating func pollJob() -> HostJob? {
        while self.runningJobs.count < self.limits.runningJobCount, self.hasRoomForResponses, let next = self.jobs.popFirst() {
            guard case .cutListing(let folder, let offset, let byteCount) = next.job.work else {
                self.runningJobs[next.job.id] = next
                return next.job
            }
            let start = min(Int(clamping: offset), folder.listing.count)
            let end = min(folder.listing.count, start + byteCount)
            self.respond(.listingPart(offset: offset, bytes: Array(folder.listing[start..<end])), handle: next.handle)
        }
        return nil
    }

    /// The next piece to read, of the handle whose turn it is.
    ///
    /// - Parameter readAheadByteCount: What this session may hold now; one piece is always allowed.
    mutating func pollRead(readAheadByteCount: Int) -> HostRead? {
        let allowed = min(readAheadByteCount, self.limits.readAheadByteCount)
        while self.runningReadCount < self.limits.runningReadCount, let number = self.turns.first {
            guard let handle = self.handles[number], case .file(let served) = handle.state, let range = served.pending.first else {
                self.turns.removeFirst()
                continue
            }
            let perPiece = max(1, min(Self.maximumPieceChunkCount, self.limits.pieceByteCount / served.layout.chunkByteCount))
            let chunks = range.lowerBound..<min(range.upperBound, range.lowerBound + perPiece)
            guard let bytes = served.layout.byteRange(of: ChunkIndex(UInt32(clamping: chunks.lowerBound))..<ChunkIndex(UInt32(clamping: chunks.upperBound)))
            else {
                // Not reached: ranges are cut to the layout when they are accepted.
                self.turns.removeFirst()
                continue
            }
            let byteCount = Int(bytes.upperBound - bytes.lowerBound)
            guard self.pieces.isEmpty || self.bufferedByteCount + byteCount <= allowed else { return nil }

            self.turns.removeFirst()
            self.setFile(number) {
                $0.pending.removeFirst()
                if chunks.upperBound < range.upperBound { $0.pending.prepend(chunks.upperBound..<range.upperBound) }
            }
            if chunks.upperBound < range.upperBound || served.pending.count > 1 { self.turns.append(number) }
            let id = self.makeID()
            self.pieces.append(
                Piece(
                    id: id, handle: number, generation: handle.generation, contentHash: served.file.descriptor.contentHash, chunks: chunks,
                    byteCount: byteCount, next: chunks.lowerBound))
            self.bufferedByteCount += byteCount
            self.runningReadCount += 1
            return HostRead(id: id, handle: number, file: served.file, layout: served.layout, chunks: chunks)
        }
        return nil
    }

    /// The length of the frame that is ready, header included.
    var nextFrameByteCount: Int? { self.pieces.first.flatMap { Self.nextFrameByteCount(in: $0) } }

    /// The frame that is ready: a slice of what was read.
    mutating func takeFrame() -> (frame: ByteBuffer, contentHash: ContentHash)? {
        guard let length = self.nextFrameByteCount, let frame = self.pieces[0].frames?.readSlice(length: length) else { return nil }
        let hash = self.pieces[0].contentHash
        self.pieces[0].next += 1
        self.outstandingChunkCount -= 1
        self.dropFinishedPieces()
        return (frame, hash)
    }

    /// A buffer for the next read: memory of an earlier one where possible.
    mutating func takeSpareBuffer() -> ByteBuffer { self.spareBuffers.popFirst() ?? ByteBuffer() }

    /// Lets go of memory kept for the next read.
    mutating func dropSpareBuffers() { self.spareBuffers.removeAll() }

    // MARK: - parts

    /// Makes the first frame of the first piece one that is owed.
    mutating func dropFinishedPieces() {
        while var piece = self.pieces.first {
            if !piece.hasFailed {
                guard piece.frames != nil else { return }
                while piece.next < piece.chunks.upperBound, piece.isSkipped(piece.next) {
                    if let length = Self.nextFrameByteCount(in: piece) { piece.frames?.moveReaderIndex(forwardBy: length) }
                    piece.next += 1
                }
                guard piece.next == piece.chunks.upperBound else {
                    self.pieces[0] = piece
                    return
                }
            }
            self.pieces.removeFirst()
            self.bufferedByteCount -= piece.byteCount
            if let frames = piece.frames, self.spareBuffers.count < 4 { self.spareBuffers.append(frames) }
        }
    }

    static func nextFrameByteCount(in piece: Piece) -> Int? {
        guard let frames = piece.frames, let length = frames.getInteger(at: frames.readerIndex + 12, as: UInt32.self) else { return nil }
        return TransferLimits.frameHeaderByteCount + Int(length)
    }

    mutating func append(_ range: Range<Int>, handle number: UInt32) {
        var wasEmpty = false
        self.setFile(number) {
            wasEmpty = $0.pending.isEmpty
            $0.pending.append(range)
        }
        // A handle whose ranges were cancelled may still have its turn.
        if wasEmpty, !self.turns.contains(number) { self.turns.append(number) }
    }

    mutating func setFile(_ number: UInt32, _ body: (inout ServedFile) -> Void) {
        guard var handle = self.handles[number], case .file(var served) = handle.state else { return }
        handle.state = .absent(.busy)  // so that the collections have one owner
        self.handles[number] = handle
        body(&served)
        handle.state = .file(served)
        self.handles[number] = handle
    }

    mutating func enqueue(_ work: HostJob.Work, handle: UInt32, generation: UInt64) {
        self.jobs.append(PendingJob(handle: handle, generation: generation, job: HostJob(id: self.makeID(), work: work)))
    }

    mutating func respond(_ response: TransferResponse, handle: UInt32) {
        self.queuedResponseByteCount += response.approximateByteCount
        self.responses.append((handle, response))
    }

    mutating func refuse(_ chunks: Range<Int>, handle: UInt32, _ reason: UnavailableReason) {
        guard let range = ChunkRange(chunks) else { return }
        self.respond(.chunksUnavailable(range, reason), handle: handle)
    }

    mutating func refuse(_ request: TransferRequest, handle: UInt32, _ reason: UnavailableReason) {
        switch request {
        case .getChunks(let range):
            self.respond(.chunksUnavailable(range, reason), handle: handle)
        case .getHashes(let request):
            let id = HashRequestID(layer: request.layer, index: request.index, count: request.count)
            self.respond(.hashesUnavailable(id, reason), handle: handle)
        case .prove(let block, let nonce):
            self.respond(.proofUnavailable(block: block, nonce: nonce, reason), handle: handle)
        case .getListing(let offset, _):
            // An empty part: there is nothing there.
            self.respond(.listingPart(offset: offset, bytes: []), handle: handle)
        case .describe, .cancel, .subscribe, .release, .resolve:
            break  // nothing is owed
        }
    }

    mutating func makeID() -> UInt64 {
        self.nextID += 1
        return self.nextID
    }
}
