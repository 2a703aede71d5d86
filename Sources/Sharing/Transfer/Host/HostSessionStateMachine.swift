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
    private struct Handle {
        enum State {
            /// The provider is asked; requests wait.
            case lookingUp(ContentHash, chunkLayer: Int?, waiting: [TransferRequest])
            case file(ServedFile)
            case folder(HostedFolder)
            /// Nothing is served under this handle.
            case absent(UnavailableReason)
        }

        /// Distinguishes uses of the same number.
        let generation: UInt64
        var state: State
    }

    private struct ServedFile {
        let file: HostedFile
        let layout: ChunkLayout
        /// Chunks owed and not yet being read, in the order asked for.
        var pending: Deque<Range<Int>> = []
        /// What a subscriber has been told; nil without subscription.
        var announced: ChunkBitmap?
        /// Set once the file may not be served any more.
        var withdrawn: UnavailableReason?
    }

    private struct PendingJob {
        let handle: UInt32
        /// 0 for a resolution, which belongs to no handle.
        let generation: UInt64
        let job: HostJob
    }

    private struct Piece {
        let id: UInt64
        let handle: UInt32
        let generation: UInt64
        let contentHash: ContentHash
        let chunks: Range<Int>
        let byteCount: Int
        /// Chunks cancelled; bit 0 is the first.
        var skipped: UInt64 = 0
        /// Nil while being read, or if the read failed.
        var frames: ByteBuffer?
        var hasFailed = false
        /// Of the frame that ``frames`` starts with.
        var next: Int

        func isSkipped(_ chunk: Int) -> Bool { self.skipped & (1 << UInt64(chunk - self.chunks.lowerBound)) != 0 }
    }

    /// The bits of ``Piece/skipped``.
    static let maximumPieceChunkCount = 64

    private let limits: HostSessionLimits
    private var handles: [UInt32: Handle] = [:]
    /// Handles with pending chunks, in the order of their turn.
    private var turns: Deque<UInt32> = []
    private var pieces: Deque<Piece> = []
    private var jobs: Deque<PendingJob> = []
    private var runningJobs: [UInt64: PendingJob] = [:]
    private var responses: Deque<(handle: UInt32, response: TransferResponse)> = []
    private var queuedResponseByteCount = 0
    private var effects: Deque<HostEffect> = []
    private var nextID: UInt64 = 0
    private var runningReadCount = 0
    /// Requests inside ``Handle/State/lookingUp(_:chunkLayer:waiting:)``.
    private var waitingRequestCount = 0
    /// Of the pieces read and not yet written.
    private var spareBuffers: Deque<ByteBuffer> = []

    /// Chunks asked for and neither written nor refused nor cancelled.
    private(set) var outstandingChunkCount = 0
    /// Of the pieces being read or ready.
    private(set) var bufferedByteCount = 0

    init(limits: HostSessionLimits = HostSessionLimits()) {
        self.limits = limits
    }

    var handleCount: Int { self.handles.count }

    /// Whether requests may be fed. False at the limits on requests and responses: then the stream is not to be read.
    var wantsRequests: Bool {
        self.jobs.count + self.runningJobs.count + self.waitingRequestCount < self.limits.pendingRequestCount
            && self.hasRoomForResponses
    }

    private var hasRoomForResponses: Bool {
        self.responses.count < self.limits.queuedResponseCount && self.queuedResponseByteCount < self.limits.queuedResponseByteCount
    }

    /// Whether nothing is owed to the client.
    var isIdle: Bool { self.jobs.isEmpty && self.runningJobs.isEmpty && self.responses.isEmpty && self.pieces.isEmpty && self.turns.isEmpty }

    // MARK: - requests

    /// - Throws: ``TransferWireError`` if no correct client sends this. The stream is to be reset.
    mutating func received(_ request: TransferRequest, handle number: UInt32) throws(TransferWireError) {
        switch request {
        case .describe(let hash, let chunkLayer):
            try self.receivedDescribe(hash, chunkLayer: chunkLayer, handle: number)
        case .resolve(let requestID, let key):
            guard number == 0 else { throw .unexpectedMessage }
            self.enqueue(.resolve(requestID: requestID, key), handle: number, generation: 0)
        case .release:
            self.release(number)
        default:
            guard var handle = self.handles[number] else {
                // A description that was refused, at the limit on handles, leaves requests without one.
                self.refuse(request, handle: number, .notHeld)
                return
            }
            switch handle.state {
            case .lookingUp(let hash, let chunkLayer, var waiting):
                handle.state = .absent(.busy)  // so that the array has one owner
                waiting.append(request)
                self.waitingRequestCount += 1
                handle.state = .lookingUp(hash, chunkLayer: chunkLayer, waiting: waiting)
                self.handles[number] = handle
            case .file(let served):
                self.received(request, handle: number, generation: handle.generation, served: served)
            case .folder(let folder):
                self.received(request, handle: number, generation: handle.generation, folder: folder)
            case .absent(let reason):
                self.refuse(request, handle: number, reason)
            }
        }
    }

    private mutating func receivedDescribe(_ hash: ContentHash, chunkLayer: Int?, handle number: UInt32) throws(TransferWireError) {
        guard self.handles[number] == nil else { throw .unexpectedMessage }
        guard self.handles.count < self.limits.handleCount else {
            self.respond(.description(ContentDescription(.refused(.busy))), handle: number)
            return
        }
        let generation = self.makeID()
        self.handles[number] = Handle(generation: generation, state: .lookingUp(hash, chunkLayer: chunkLayer, waiting: []))
        self.enqueue(.lookUp(hash), handle: number, generation: generation)
    }

    private mutating func received(_ request: TransferRequest, handle number: UInt32, generation: UInt64, served: ServedFile) {
        if let reason = served.withdrawn {
            self.refuse(request, handle: number, reason)
            return
        }
        switch request {
        case .getChunks(let range):
            self.receivedGetChunks(range, handle: number, served: served)
        case .cancel(let range):
            self.cancel(range.indices, handle: number)
        case .getHashes(let hashRequest):
            // Below the layer agreed on there is nothing that a client needs, and it would cost reading the file.
            guard hashRequest.layer >= min(served.layout.treeLayer, served.file.chunkLayer) else {
                self.refuse(request, handle: number, .outOfRange)
                return
            }
            self.enqueue(.readHashes(served.file, hashRequest), handle: number, generation: generation)
        case .subscribe:
            self.subscribe(number, generation: generation, served: served)
        case .prove(let block, let nonce):
            let geometry = served.layout.geometry
            guard block >= 0, block < geometry.blockCount else {
                self.refuse(request, handle: number, .outOfRange)
                return
            }
            if let held = served.file.availability.heldChunks, !held.contains(block >> served.layout.layer) {
                self.refuse(request, handle: number, .notHeld)
                return
            }
            self.enqueue(.readProof(served.file, block: block, nonce: nonce), handle: number, generation: generation)
        case .getListing:
            self.refuse(request, handle: number, .outOfRange)
        case .describe, .release, .resolve:
            break  // handled before
        }
    }

    private mutating func received(_ request: TransferRequest, handle number: UInt32, generation: UInt64, folder: HostedFolder) {
        guard case .getListing(let offset, let byteCount) = request else {
            self.refuse(request, handle: number, .outOfRange)
            return
        }
        self.enqueue(.cutListing(folder, offset: offset, byteCount: byteCount), handle: number, generation: generation)
    }

    private mutating func receivedGetChunks(_ range: ChunkRange, handle number: UInt32, served: ServedFile) {
        let wanted = range.indices
        let existing = wanted.clamped(to: 0..<served.layout.chunkCount)
        if existing.count < wanted.count {
            let beyond = max(wanted.lowerBound, served.layout.chunkCount)..<wanted.upperBound
            self.refuse(beyond, handle: number, .outOfRange)
        }
        var rest = existing
        guard !rest.isEmpty else { return }
        let held = served.file.availability.heldChunks
        while !rest.isEmpty {
            // A run that is held, or a run that is not.
            let end: Int
            let isHeld: Bool
            if let held {
                isHeld = held.contains(rest.lowerBound)
                end = min(rest.upperBound, (isHeld ? held.firstMissing(from: rest.lowerBound) : held.firstHeld(from: rest.lowerBound)) ?? rest.upperBound)
            } else {
                isHeld = true
                end = rest.upperBound
            }
            guard isHeld else {
                self.refuse(rest.lowerBound..<end, handle: number, .notHeld)
                rest = end..<rest.upperBound
                continue
            }
            let room = max(0, self.limits.outstandingChunkCount - self.outstandingChunkCount)
            guard room > 0 else {
                self.refuse(rest, handle: number, .busy)
                return
            }
            let accepted = rest.lowerBound..<min(end, rest.lowerBound + room)
            self.outstandingChunkCount += accepted.count
            self.append(accepted, handle: number)
            rest = accepted.upperBound..<rest.upperBound
        }
    }

    private mutating func subscribe(_ number: UInt32, generation: UInt64, served: ServedFile) {
        guard served.announced == nil else { return }
        guard let held = served.file.availability.heldChunks else {
            self.respond(.bitfield(.complete), handle: number)
            return
        }
        self.setFile(number) { $0.announced = held }
        let step = TransferLimits.maximumBitfieldPartChunkCount
        for first in stride(from: 0, to: max(1, held.count), by: step) {
            let part = BitfieldPart.part(first: UInt32(clamping: first), bits: held.bytes(of: first..<min(held.count, first + step)))
            self.respond(.bitfield(held.isComplete ? .complete : part), handle: number)
            if held.isComplete { break }
        }
        if !held.isComplete { self.effects.append(.observe(handle: number, generation: generation, served.file.availability)) }
    }

    /// Forgets the chunks of `range` that are not written yet.
    private mutating func cancel(_ range: Range<Int>, handle number: UInt32) {
        guard let handle = self.handles[number] else { return }
        var cancelled = 0
        self.setFile(number) { served in
            // Looking costs little; a peer may cancel what it never asked for as often as it likes.
            guard served.pending.contains(where: { $0.overlaps(range) }) else { return }
            var left: Deque<Range<Int>> = []
            for pending in served.pending {
                let overlap = pending.clamped(to: range)
                guard !overlap.isEmpty else {
                    left.append(pending)
                    continue
                }
                cancelled += overlap.count
                if pending.lowerBound < overlap.lowerBound { left.append(pending.lowerBound..<overlap.lowerBound) }
                if overlap.upperBound < pending.upperBound { left.append(overlap.upperBound..<pending.upperBound) }
            }
            served.pending = left
        }
        self.outstandingChunkCount -= cancelled
        self.skip(range, handle: number, generation: handle.generation)
    }

    /// Marks the chunks of `range` in pieces read ahead.
    private mutating func skip(_ range: Range<Int>, handle number: UInt32, generation: UInt64) {
        for position in self.pieces.indices
        where self.pieces[position].handle == number && self.pieces[position].generation == generation && !self.pieces[position].hasFailed {
            let piece = self.pieces[position]
            for chunk in (piece.next..<piece.chunks.upperBound).clamped(to: range) where !piece.isSkipped(chunk) {
                self.pieces[position].skipped |= 1 << UInt64(chunk - piece.chunks.lowerBound)
                self.outstandingChunkCount -= 1
            }
        }
        self.dropFinishedPieces()
    }

    private mutating func release(_ number: UInt32) {
        guard let handle = self.handles.removeValue(forKey: number) else { return }
        switch handle.state {
        case .lookingUp(_, _, let waiting):
            self.waitingRequestCount -= waiting.count
        case .file(let served):
            self.outstandingChunkCount -= served.pending.reduce(0) { $0 + $1.count }
            self.skip(0..<Int.max, handle: number, generation: handle.generation)
            if served.announced != nil { self.effects.append(.stopObserving(handle: number)) }
        case .folder, .absent:
            break
        }
        // Jobs that have not begun are not worth it any more.
        self.jobs.removeAll { $0.handle == number && $0.generation == handle.generation }
    }

    // MARK: - completions

    /// - Parameter outcome: Nil in `.success` if there is no such content.
    mutating func lookedUp(_ outcome: Result<HostedContent?, any Error>, id: UInt64) {
        guard let running = self.runningJobs.removeValue(forKey: id), let handle = self.handles[running.handle],
            handle.generation == running.generation, case .lookingUp(let hash, let chunkLayer, let waiting) = handle.state
        else { return }
        let (state, description) = self.admit(self.describe(outcome, hash: hash, chunkLayer: chunkLayer))
        self.handles[running.handle] = Handle(generation: handle.generation, state: state)
        self.respond(.description(description), handle: running.handle)
        self.waitingRequestCount -= waiting.count
        for request in waiting {
            // None of them is a description, a release or a resolution, so none throws.
            try? self.received(request, handle: running.handle)
        }
    }

    /// Bounds the memory of listings: a content open under many handles is kept once, and of different ones only so much.
    private mutating func admit(_ found: (state: Handle.State, description: ContentDescription)) -> (Handle.State, ContentDescription) {
        guard case .folder(var folder) = found.state else { return found }
        var listings: [ContentHash: [UInt8]] = [:]
        for handle in self.handles.values {
            if case .folder(let other) = handle.state { listings[other.contentHash] = other.listing }
        }
        if let listing = listings[folder.contentHash] {
            folder.listing = listing
            return (.folder(folder), found.description)
        }
        let byteCount = listings.values.reduce(folder.listing.count) { $0 + $1.count }
        guard byteCount <= self.limits.listingByteCount else {
            return (.absent(.busy), ContentDescription(.refused(.busy)))
        }
        return found
    }

    private func describe(
        _ outcome: Result<HostedContent?, any Error>, hash: ContentHash, chunkLayer: Int?
    ) -> (Handle.State, ContentDescription) {
        switch outcome {
        case .success(.file(let file)?):
            let held = file.availability.heldChunks
            // Higher layers follow from the stored one, lower ones from the file. The bitmap of a partial file is in the stored layer only.
            let layer = chunkLayer ?? file.chunkLayer
            let layout: ChunkLayout
            do {
                layout = try ChunkLayout(fileSize: file.descriptor.size, layer: layer)
            } catch {
                return (.absent(.layerUnsupported), ContentDescription(.refused(.layerUnsupported)))
            }
            guard layer == file.chunkLayer || (held == nil && (layer > file.chunkLayer || self.limits.allowsLowerLayer(layout))) else {
                return (.absent(.layerUnsupported), ContentDescription(.refused(.layerUnsupported)))
            }
            guard file.descriptor.contentHash == hash, held == nil || held?.count == layout.chunkCount else {
                return (.absent(.unreadable), ContentDescription(.refused(.unreadable)))
            }
            let content = ContentDescription.Content.file(size: file.descriptor.size, root: file.descriptor.root, chunkLayer: layer)
            let description = ContentDescription(content, name: Self.name(file.name), bindings: BindingList.encode(file.bindings))
            return (.file(ServedFile(file: file, layout: layout)), description)
        case .success(.folder(let folder)?):
            let content = ContentDescription.Content.folder(byteCount: UInt64(folder.listing.count))
            return (.folder(folder), ContentDescription(content, name: Self.name(folder.name), bindings: BindingList.encode(folder.bindings)))
        case .success(nil):
            return (.absent(.notHeld), ContentDescription(.notFound))
        case .failure:
            return (.absent(.unreadable), ContentDescription(.refused(.unreadable)))
        }
    }

    private static func name(_ name: String?) -> String? {
        guard let name, name.utf8.count <= TransferLimits.maximumNameByteCount else { return nil }
        return name
    }

    /// - Parameter bindings: Encoded.
    mutating func resolved(_ bindings: [[UInt8]], id: UInt64) {
        guard let running = self.runningJobs.removeValue(forKey: id), case .resolve(let requestID, _) = running.job.work else { return }
        self.respond(.resolved(requestID: requestID, bindings: bindings), handle: 0)
    }

    mutating func hashesRead(_ outcome: Result<HashSegment, any Error>, id: UInt64) {
        guard let running = self.runningJobs.removeValue(forKey: id), case .readHashes(_, let request) = running.job.work,
            self.handles[running.handle]?.generation == running.generation
        else { return }
        let requestID = HashRequestID(layer: request.layer, index: request.index, count: request.count)
        switch outcome {
        case .success(let segment):
            self.respond(.hashes(segment), handle: running.handle)
        case .failure(let error as ContentError) where error.code == .geometryMismatch:
            self.respond(.hashesUnavailable(requestID, .outOfRange), handle: running.handle)
        case .failure(let error as FileReadError):
            let reason = self.reason(for: error, handle: running.handle)
            self.respond(.hashesUnavailable(requestID, reason), handle: running.handle)
            if error.meansChanged { self.withdraw(running.handle, reason) }
        case .failure(is SerialJobs.Full):
            self.respond(.hashesUnavailable(requestID, .busy), handle: running.handle)
        case .failure:
            self.respond(.hashesUnavailable(requestID, .notHeld), handle: running.handle)
        }
    }

    mutating func proofRead(_ outcome: Result<BlockProof, any Error>, id: UInt64) {
        guard let running = self.runningJobs.removeValue(forKey: id), case .readProof(_, let block, let nonce) = running.job.work,
            self.handles[running.handle]?.generation == running.generation
        else { return }
        switch outcome {
        case .success(let proof):
            self.respond(.proof(proof, nonce: nonce), handle: running.handle)
        case .failure(let error):
            let isMismatch = (error as? ContentError)?.code == .proofMismatch
            let failure = error as? FileReadError ?? (isMismatch ? .changed : .failed(errno: 0))
            let reason = self.reason(for: failure, handle: running.handle)
            self.respond(.proofUnavailable(block: block, nonce: nonce, reason), handle: running.handle)
            if failure.meansChanged { self.withdraw(running.handle, reason) }
        }
    }

    mutating func framesRead(_ outcome: Result<ByteBuffer, FileReadError>, id: UInt64) {
        self.runningReadCount -= 1
        guard let position = self.pieces.firstIndex(where: { $0.id == id }) else { return }
        switch outcome {
        case .success(let frames):
            self.pieces[position].frames = frames
        case .failure(let error):
            self.pieces[position].hasFailed = true
            let piece = self.pieces[position]
            let owed = piece.chunks.filter { !piece.isSkipped($0) }
            self.outstandingChunkCount -= owed.count
            let reason = self.reason(for: error, handle: piece.handle)
            if self.handles[piece.handle]?.generation == piece.generation {
                var rest = owed[...]
                while let first = rest.first {
                    let run = zip(rest, first...).prefix { $0 == $1 }.count
                    self.refuse(first..<first + run, handle: piece.handle, reason)
                    rest = rest.dropFirst(run)
                }
                if error.meansChanged { self.withdraw(piece.handle, reason) }
            }
        }
        self.dropFinishedPieces()
    }

    private func reason(for error: FileReadError, handle number: UInt32) -> UnavailableReason {
        guard error.meansChanged else { return .unreadable }
        // A download in progress that is gone was finished, and renamed, or given up. It is found anew under the next handle.
        if error == .missing, case .file(let served)? = self.handles[number]?.state, served.file.stamp == nil { return .notHeld }
        return .changed
    }

    /// New chunks can be served.
    mutating func availabilityChanged(handle number: UInt32, generation: UInt64) {
        guard let handle = self.handles[number], handle.generation == generation, case .file(let served) = handle.state,
            let announced = served.announced
        else { return }
        var gained = served.file.availability.heldChunks ?? ChunkBitmap(count: announced.count, isComplete: true)
        guard gained.count == announced.count else { return }
        let now = gained
        gained.subtract(announced)
        guard !gained.isEmpty else { return }
        self.setFile(number) { $0.announced = now }
        let ranges = gained.ranges.compactMap { ChunkRange($0) }
        for start in stride(from: 0, to: ranges.count, by: TransferLimits.maximumHaveRangeCount) {
            self.respond(.have(Array(ranges[start..<min(ranges.count, start + TransferLimits.maximumHaveRangeCount)])), handle: number)
        }
    }

    /// Stops serving a content: it was removed from the registry, or changed.
    mutating func withdraw(_ hash: ContentHash, _ reason: UnavailableReason) {
        for (number, handle) in self.handles {
            switch handle.state {
            case .file(let served) where served.file.descriptor.contentHash == hash: self.withdraw(number, reason)
            case .folder(let folder) where folder.contentHash == hash:
                self.handles[number] = Handle(generation: handle.generation, state: .absent(reason))
            default: break
            }
        }
    }

    private mutating func withdraw(_ number: UInt32, _ reason: UnavailableReason) {
        guard let handle = self.handles[number], case .file(let served) = handle.state, served.withdrawn == nil else { return }
        self.setFile(number) {
            $0.withdrawn = reason
            $0.pending = []
        }
        for range in served.pending {
            self.outstandingChunkCount -= range.count
            self.refuse(range, handle: number, reason)
        }
        if served.announced != nil { self.effects.append(.stopObserving(handle: number)) }
        if reason == .changed { self.effects.append(.contentChanged(served.file.descriptor.contentHash)) }
    }

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
    private mutating func dropFinishedPieces() {
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

    private static func nextFrameByteCount(in piece: Piece) -> Int? {
        guard let frames = piece.frames, let length = frames.getInteger(at: frames.readerIndex + 12, as: UInt32.self) else { return nil }
        return TransferLimits.frameHeaderByteCount + Int(length)
    }

    private mutating func append(_ range: Range<Int>, handle number: UInt32) {
        var wasEmpty = false
        self.setFile(number) {
            wasEmpty = $0.pending.isEmpty
            $0.pending.append(range)
        }
        // A handle whose ranges were cancelled may still have its turn.
        if wasEmpty, !self.turns.contains(number) { self.turns.append(number) }
    }

    private mutating func setFile(_ number: UInt32, _ body: (inout ServedFile) -> Void) {
        guard var handle = self.handles[number], case .file(var served) = handle.state else { return }
        handle.state = .absent(.busy)  // so that the collections have one owner
        self.handles[number] = handle
        body(&served)
        handle.state = .file(served)
        self.handles[number] = handle
    }

    private mutating func enqueue(_ work: HostJob.Work, handle: UInt32, generation: UInt64) {
        self.jobs.append(PendingJob(handle: handle, generation: generation, job: HostJob(id: self.makeID(), work: work)))
    }

    private mutating func respond(_ response: TransferResponse, handle: UInt32) {
        self.queuedResponseByteCount += response.approximateByteCount
        self.responses.append((handle, response))
    }

    private mutating func refuse(_ chunks: Range<Int>, handle: UInt32, _ reason: UnavailableReason) {
        guard let range = ChunkRange(chunks) else { return }
        self.respond(.chunksUnavailable(range, reason), handle: handle)
    }

    private mutating func refuse(_ request: TransferRequest, handle: UInt32, _ reason: UnavailableReason) {
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

    private mutating func makeID() -> UInt64 {
        self.nextID += 1
        return self.nextID
    }
}
