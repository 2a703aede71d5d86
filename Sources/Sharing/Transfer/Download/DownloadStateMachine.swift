import DIGContent
import DIGIdentity

/// Decides, for one file, what is asked of whom.
///
/// The owner reports what happened, with the time, then drains ``nextAction()`` and sees that ``deadlineReached(now:)`` is called
/// at ``deadline``. Nothing in here waits, opens or hashes a file; proving a segment of hashes is the only computation.
///
///     peerAdded ─ describe, subscribe ─► Description ── prepareStorage ─► storageReady ─ getHashes ─► segments
///                                                                             │ checkStored (resume)     │
///                                                                             ▼                          ▼
///                                                              finish ◄── all verified ◄── getChunks ◄─ unlocked
///
/// What a peer can do wrong, and what follows:
///  - *Lies* (descriptor of another content, hashes that do not lead to the root, a corrupt chunk, bytes that break the protocol): the
///    peer is dropped and not taken again for this download.
///  - *Fails* (does not hold it, refuses, leaves): it is dropped and may come back.
///  - *Stalls*: its chunks go to others after ``DownloadConfiguration/requestTimeout`` and its window starts over; one request stays with
///    it as a probe. After ``DownloadConfiguration/peerTimeout``, or the third stall, it is dropped.
struct DownloadStateMachine: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Action: Sendable {
        /// Open a handle, and ask for the bitfield if `subscribes`. `chunkLayer` nil: the host's choice.
        case describe(PeerKey, chunkLayer: Int?, subscribes: Bool)
        case prepareStorage(FileDescriptor, ChunkLayout)
        case getHashes(PeerKey, HashRequest)
        /// Within one segment, at most ``maximumRequestChunkCount(chunkByteCount:)``.
        case getChunks(PeerKey, Range<Int>, hashes: ArraySlice<SHA256Digest>)
        case cancel(PeerKey, Range<Int>)
        /// Compare what an earlier run left on disk with the tree, then call ``storedChecked(_:valid:now:)``.
        case checkStored(Range<Int>, claimed: ChunkBitmap, hashes: ArraySlice<SHA256Digest>)
        /// Chunks are now here, proven and on disk.
        case reportVerified(Range<Int>)
        case dropPeer(PeerKey, TransferError)
        case finish
        case fail(TransferError)
    }

    /// The bytes of one request: what one buffer takes and one job hashes and writes.
    static let requestByteCount = 1024 * 1024
    /// Chunks are 2^20 at most, so a peer's size never makes us allocate more than a few MiB.
    static let maximumChunkCount = 1 << 20
    static let maximumHashRequestCount = 4
    /// Failures kept for the final error.
    static let maximumFailureCount = 64

    static func maximumRequestChunkCount(chunkByteCount: Int) -> Int {
        min(64, max(1, Self.requestByteCount / max(1, chunkByteCount)))
    }

    private struct Request {
        var range: Range<Int>
        /// Bit i: chunk `range.lowerBound + i` has not come.
        var remaining: UInt64
        let requestedAt: Instant
        /// Nothing else was outstanding, so the answer's delay is a round trip.
        let measuresRoundTrip: Bool
        /// A stalled peer's probe: its chunks are not counted in the picker any more.
        var isReleased = false

        var remainingCount: Int { self.remaining.nonzeroBitCount }

        /// Returns whether the chunk was still to come.
        mutating func take(_ index: Int) -> Bool {
            guard self.range.contains(index) else { return false }
            let bit: UInt64 = 1 << UInt64(index - self.range.lowerBound)
            guard self.remaining & bit != 0 else { return false }
            self.remaining &= ~bit
            return true
        }

        var indices: [Int] {
            var bits = self.remaining
            var indices: [Int] = []
            while bits != 0 {
                indices.append(self.range.lowerBound + bits.trailingZeroBitCount)
                bits &= bits - 1
            }
            return indices
        }
    }

    private struct Peer {
        let peer: PeerID
        var isDescribed = false
        /// Nil until the bitfield came.
        var holdings: ChunkHoldings?
        var window: RequestWindow
        var meter: RateMeter
        var requests: [Request] = []
        var outstandingCount = 0
        var hashRequests: Set<Int> = []
        /// Segments it said it cannot give.
        var lackedSegments: Set<Int> = []
        var lastProgress: Instant
        var isStalled = false
        var stallCount = 0
        var pausedUntil: Instant?
        var verifiedByteCount: UInt64 = 0
        /// Chunks it said it holds, and then that it does not.
        var takenBackCount = 0

        /// Whether it owes us something.
        var isAwaited: Bool { !self.isDescribed || self.holdings == nil || !self.hashRequests.isEmpty || !self.requests.isEmpty }
    }

    private enum Phase {
        /// No descriptor that hashes to what was asked for.
        case describing
        case preparing
        case transferring
        case finished
    }

    let contentHash: ContentHash
    let configuration: DownloadConfiguration
    /// What the user demands; nil: whatever comes.
    let demandedLayer: Int?
    private(set) var descriptor: FileDescriptor?
    private(set) var layout: ChunkLayout?
    private var phase = Phase.describing
    private(set) var picker = ChunkPicker(chunkCount: 0)
    private var segments: SegmentTable?
    /// What an earlier run left, not yet compared.
    private var claimed = ChunkBitmap(count: 0)
    private var checksInProgress = 0
    private var peers: [PeerKey: Peer] = [:]
    private var banned: Set<PeerID> = []
    private(set) var failures: [PeerFailure] = []
    private var departed: [PeerID: PeerStatistics] = [:]
    private var starvedSince: Instant?
    private var connectingCount = 0
    private var actions: [Action] = []
    private var nextActionIndex = 0

    /// - Parameters:
    ///   - descriptor: From a link or an earlier run; nil if only the content hash is known. Ignored if it does not belong to `contentHash`.
    ///   - chunkLayer: Demanded: a host that does not serve it is let go. Nil: as an earlier run began, or the default, or what the first host says.
    ///   - savedChunkLayer: In which an earlier run began. Ignored if it makes no sense: what is stored may be damaged.
    init(
        contentHash: ContentHash, descriptor: FileDescriptor? = nil, chunkLayer: Int? = nil, savedChunkLayer: Int? = nil,
        configuration: DownloadConfiguration = .init(), now: Instant
    ) {
        self.contentHash = contentHash
        self.configuration = configuration
        self.demandedLayer = chunkLayer
        self.starvedSince = now
        guard let descriptor, descriptor.contentHash == contentHash else { return }
        let saved = savedChunkLayer.flatMap { ChunkLayout.layers.contains($0) ? $0 : nil }
        do throws(TransferError) {
            self.accept(descriptor, try Self.layout(of: descriptor, layer: chunkLayer ?? saved))
        } catch {
            self.fail(error)
        }
    }

    /// - Parameter layer: Nil: the default for the size.
    /// - Throws: ``TransferError`` with `.invalidOption` if there is no such layer, or `.tooLarge` if it cuts the file into too many chunks.
    private static func layout(of descriptor: FileDescriptor, layer: Int?) throws(TransferError) -> ChunkLayout {
        let layout: ChunkLayout
        do throws(ContentError) {
            layout = if let layer { try ChunkLayout(fileSize: descriptor.size, layer: layer) } else { try ChunkLayout(fileSize: descriptor.size) }
        } catch {
            throw TransferError(.invalidOption, "the file cannot be cut into such chunks", cause: error)
        }
        guard layout.chunkCount <= Self.maximumChunkCount else {
            throw TransferError(
                .tooLarge, "in chunks of \(layout.chunkByteCount) bytes the file has \(layout.chunkCount), more than \(Self.maximumChunkCount): choose larger chunks")
        }
        return layout
    }

    // MARK: - Outputs

    /// The next thing to do. Call until nil after each input.
    mutating func nextAction() -> Action? {
        guard self.nextActionIndex < self.actions.count else {
            self.actions.removeAll(keepingCapacity: true)
            self.nextActionIndex = 0
            return nil
        }
        defer { self.nextActionIndex += 1 }
        return self.actions[self.nextActionIndex]
    }

    /// When to call ``deadlineReached(now:)``; nil if nothing is awaited.
    var deadline: Instant? {
        guard self.phase != .finished else { return nil }
        var deadline: Instant?
        func consider(_ instant: Instant) { deadline = deadline.map { min($0, instant) } ?? instant }
        if let starvedSince = self.starvedSince { consider(starvedSince + self.configuration.holderTimeout) }
        for peer in self.peers.values {
            if let pausedUntil = peer.pausedUntil { consider(pausedUntil) }
            if peer.isStalled {
                consider(peer.lastProgress + self.configuration.peerTimeout)
            } else if peer.isAwaited {
                consider(peer.lastProgress + self.configuration.requestTimeout)
            }
        }
        return deadline
    }

    var isFinished: Bool { self.phase == .finished }
    var isTransferring: Bool { self.phase == .transferring }
    var peerCount: Int { self.peers.count }

    /// Hashes of chunks in one segment, if they are known: to serve others while downloading.
    func hashes(of chunks: Range<Int>) -> ArraySlice<SHA256Digest>? { self.segments?.hashes(of: chunks) }

    /// All chunk hashes, once they are known.
    var chunkLayer: [SHA256Digest]? { self.segments?.chunkLayer }
    var isChunkLayerKnown: Bool { self.segments?.areAllKnown ?? false }

    /// One entry for each peer that gave something or is connected, in no particular order.
    mutating func statistics(now: Instant) -> [PeerStatistics] {
        let chunkByteCount = self.layout?.chunkByteCount ?? 1
        var statistics = self.departed
        for key in self.peers.keys {
            guard var peer = self.peers[key] else { continue }
            let rate = peer.meter.rate(now: now)
            self.peers[key] = peer
            var entry = PeerStatistics(
                peer: peer.peer, verifiedByteCount: peer.verifiedByteCount, rate: rate, roundTrip: peer.window.shortestRoundTrip,
                outstandingChunkCount: peer.outstandingCount, windowChunkCount: self.windowChunkCount(peer, chunkByteCount: chunkByteCount),
                stallCount: peer.stallCount, isStalled: peer.isStalled, isConnected: true)
            entry.verifiedByteCount += statistics[peer.peer]?.verifiedByteCount ?? 0
            statistics[peer.peer] = entry
        }
        return Array(statistics.values)
    }

    // MARK: - Peers

    /// Returns false if the peer was dropped for a lie before; nothing is asked of it then.
    mutating func peerAdded(_ key: PeerKey, peer: PeerID, now: Instant) -> Bool {
        guard !self.banned.contains(peer), self.peers[key] == nil, self.phase != .finished else { return false }
        self.peers[key] = Peer(
            peer: peer, window: RequestWindow(chunkByteCount: self.layout?.chunkByteCount ?? 65536, now: now),
            meter: RateMeter(now: now), lastProgress: now)
        // Of a single chunk there is no part to hold: it is asked for right behind the description.
        let isSingle = self.layout?.chunkCount == 1
        if isSingle { self.peers[key]?.holdings = .complete }
        self.actions.append(.describe(key, chunkLayer: self.layout?.layer ?? self.demandedLayer, subscribes: !isSingle))
        self.schedule(now: now)
        return true
    }

    /// So many sessions are being opened: as long as there are any, nobody is missing.
    mutating func connecting(_ count: Int, now: Instant) {
        self.connectingCount = count
        self.schedule(now: now)
    }

    /// No session could be opened.
    mutating func peerUnreachable(_ peer: PeerID, error: TransferError, now: Instant) {
        self.record(PeerFailure(peer: peer, error: error))
        self.schedule(now: now)
    }

    /// The session ended, or the owner took the peer away.
    mutating func peerRemoved(_ key: PeerKey, error: TransferError?, now: Instant) {
        self.forget(key, error: error, now: now)
        self.schedule(now: now)
    }

    /// The peer broke the protocol as far as the session could see.
    mutating func peerViolated(_ key: PeerKey, error: TransferError, now: Instant) {
        self.drop(key, error, isLie: true, now: now)
        self.schedule(now: now)
    }

    /// Some bytes came, not yet a whole chunk.
    mutating func progressed(_ key: PeerKey, now: Instant) {
        guard self.peers[key] != nil else { return }
        self.noteProgress(key, now: now)
        self.schedule(now: now)
    }

    // MARK: - Description

    mutating func described(_ key: PeerKey, as description: ContentDescription, now: Instant) {
        guard let peer = self.peers[key] else { return }
        guard !peer.isDescribed else {
            return self.peerViolated(key, error: TransferError(.protocolViolation, "the peer described the content twice"), now: now)
        }
        self.noteProgress(key, now: now)
        switch description.content {
        case .file(let size, let root, let chunkLayer):
            self.describedFile(key, size: size, root: root, chunkLayer: chunkLayer, now: now)
        case .folder:
            if self.descriptor != nil {
                let error = TransferError(.contentMismatch, "the peer says that the file \(self.contentHash) is a folder")
                self.drop(key, error, isLie: true, now: now)
            } else {
                self.drop(key, TransferError(.isFolder, "the content is a folder, fetch it as one"), isLie: false, now: now)
            }
        case .notFound:
            self.drop(key, TransferError(.notFound, "the peer does not hold it"), isLie: false, now: now)
        case .refused(.layerUnsupported):
            self.drop(key, self.layerError, isLie: false, now: now)
        case .refused(let reason):
            self.drop(key, TransferError(.refused, "the peer refused (\(reason)); ask it again later"), isLie: false, now: now)
        }
        self.schedule(now: now)
    }

    private var layerError: TransferError {
        let layer = self.layout?.layer ?? self.demandedLayer ?? ChunkLayout.defaultLayer
        return TransferError(.unsupportedLayer, "the peer does not serve chunks of \(TreeGeometry.blockByteCount << layer) bytes, which this download uses")
    }

    private mutating func describedFile(_ key: PeerKey, size: UInt64, root: SHA256Digest, chunkLayer: Int, now: Instant) {
        let descriptor: FileDescriptor
        let layout: ChunkLayout
        do {
            descriptor = try FileDescriptor(size: size, root: root, expecting: self.contentHash)
        } catch {
            let error = TransferError(.contentMismatch, "what the peer describes is not \(self.contentHash)", cause: error)
            return self.drop(key, error, isLie: true, now: now)
        }
        if let demanded = self.demandedLayer, chunkLayer != demanded { return self.drop(key, self.layerError, isLie: false, now: now) }
        guard ChunkLayout.layers.contains(chunkLayer) else {
            return self.drop(key, TransferError(.protocolViolation, "the peer's chunk size makes no sense"), isLie: true, now: now)
        }
        do throws(TransferError) {
            layout = try Self.layout(of: descriptor, layer: chunkLayer)
        } catch {
            // Whoever is asked, the answer to what was demanded is the same.
            return self.demandedLayer == nil ? self.drop(key, error, isLie: false, now: now) : self.fail(error)
        }
        if let ours = self.layout {
            guard ours == layout else { return self.drop(key, self.layerError, isLie: false, now: now) }
        } else {
            self.accept(descriptor, layout)
            for key in self.peers.keys {
                self.peers[key]?.window = RequestWindow(chunkByteCount: layout.chunkByteCount, now: now)
            }
        }
        self.peers[key]?.isDescribed = true
    }

    private mutating func accept(_ descriptor: FileDescriptor, _ layout: ChunkLayout) {
        self.descriptor = descriptor
        self.layout = layout
        self.phase = .preparing
        self.actions.append(.prepareStorage(descriptor, layout))
    }

    // MARK: - Storage

    /// The file on disk is open.
    ///
    /// - Parameters:
    ///   - claimed: Chunks that an earlier run left. None is trusted before it is compared with the tree.
    ///   - chunkLayer: All chunk hashes, proven against the root; nil if they are not known.
    mutating func storageReady(claimed: ChunkBitmap?, chunkLayer: [SHA256Digest]?, now: Instant) {
        guard self.phase == .preparing, let layout = self.layout, let descriptor = self.descriptor else { return }
        self.phase = .transferring
        self.picker = ChunkPicker(chunkCount: layout.chunkCount)
        self.segments = SegmentTable(layout: layout)
        if let claimed, claimed.count == layout.chunkCount { self.claimed = claimed } else { self.claimed = ChunkBitmap(count: layout.chunkCount) }
        for key in self.peers.keys {
            if case .partial(let chunks) = self.peers[key]?.holdings { self.picker.partialHolderAdded(chunks) }
        }
        // The hash of the only chunk is the root.
        let layer = layout.chunkCount == 1 ? [descriptor.root] : chunkLayer
        if let layer, layer.count == layout.chunkCount, let count = self.segments?.segments.count {
            for segment in 0..<count {
                let start = segment * SegmentTable.nodeCount
                self.learn(segment, hashes: Array(layer[start..<min(start + SegmentTable.nodeCount, layer.count)]))
            }
        }
        self.schedule(now: now)
    }

    /// What an earlier run left in one segment was compared with the tree.
    mutating func storedChecked(_ range: Range<Int>, valid: ChunkBitmap, now: Instant) {
        guard let segments = self.segments, self.checksInProgress > 0 else { return }
        self.checksInProgress -= 1
        let segment = segments.segment(of: range.lowerBound)
        guard segments.segments.indices.contains(segment), case .checking(let hashes) = segments.segments[segment] else { return }
        for run in valid.ranges {
            for index in run { self.picker.verified(index) }
            self.actions.append(.reportVerified(run))
        }
        self.segments?.set(segment, .known(hashes))
        self.picker.unlock(range)
        self.schedule(now: now)
    }

    // MARK: - Hashes

    mutating func receivedHashes(_ answer: HashSegment, from key: PeerKey, now: Instant) {
        guard let peer = self.peers[key] else { return }
        guard let segments = self.segments, let descriptor = self.descriptor, answer.index >= 0,
            answer.index % SegmentTable.nodeCount == 0, peer.hashRequests.contains(answer.index / SegmentTable.nodeCount),
            segments.request(for: answer.index / SegmentTable.nodeCount).isAnswered(by: answer)
        else {
            return self.peerViolated(key, error: TransferError(.protocolViolation, "the peer sent hashes that were not asked for"), now: now)
        }
        let segment = answer.index / SegmentTable.nodeCount
        self.peers[key]?.hashRequests.remove(segment)
        self.noteProgress(key, now: now)
        guard case .requested(key) = segments.segments[segment] else {
            return self.schedule(now: now)  // A stalled peer's answer after another was asked.
        }
        do {
            try answer.verify(against: descriptor)
            self.learn(segment, hashes: segments.chunks(of: segment).indices.compactMap { answer.hash(at: $0 - answer.index) })
        } catch {
            self.segments?.set(segment, .unknown)
            let error = TransferError(.corruptHashes, "the peer's hashes do not lead to the root", cause: error)
            self.drop(key, error, isLie: true, now: now)
        }
        self.schedule(now: now)
    }

    mutating func hashesUnavailable(_ id: HashRequestID, from key: PeerKey, now: Instant) {
        guard self.peers[key] != nil else { return }
        let segment = id.index / SegmentTable.nodeCount
        if self.peers[key]?.hashRequests.remove(segment) != nil {
            self.noteProgress(key, now: now)
            self.peers[key]?.lackedSegments.insert(segment)
            self.segments?.giveUp(segment, by: key)
        }
        self.schedule(now: now)
    }

    private mutating func learn(_ segment: Int, hashes: [SHA256Digest]) {
        guard let segments = self.segments else { return }
        let chunks = segments.chunks(of: segment)
        var claimed = ChunkBitmap(count: self.claimed.count)
        for index in chunks where self.claimed.contains(index) { claimed.insert(index) }
        if claimed.isEmpty {
            self.segments?.set(segment, .known(hashes))
            self.picker.unlock(chunks)
        } else {
            self.segments?.set(segment, .checking(hashes))
            self.checksInProgress += 1
            self.actions.append(.checkStored(chunks, claimed: claimed, hashes: hashes[0..<chunks.count]))
        }
    }

    // MARK: - Holdings

    mutating func receivedBitfield(_ part: BitfieldPart, from key: PeerKey, now: Instant) {
        guard self.peers[key] != nil else { return }
        switch part {
        case .complete:
            if self.becomeComplete(key) { self.noteProgress(key, now: now) }
        case .part(let first, let bits):
            guard let layout = self.layout else {
                let error = TransferError(.protocolViolation, "the peer sent a bitfield before it described the content")
                return self.peerViolated(key, error: error, now: now)
            }
            var bitmap = ChunkBitmap(count: layout.chunkCount)
            do {
                try bitmap.insert(bytes: bits, at: Int(first))
            } catch {
                let error = TransferError(.protocolViolation, "the peer's bitfield does not fit the file", cause: error)
                return self.peerViolated(key, error: error, now: now)
            }
            if self.gain(key, bitmap.ranges) { self.noteProgress(key, now: now) }
        }
        self.schedule(now: now)
    }

    mutating func receivedHave(_ ranges: [ChunkRange], from key: PeerKey, now: Instant) {
        guard self.peers[key] != nil else { return }
        let count = self.layout?.chunkCount ?? 0
        guard ranges.allSatisfy({ $0.indices.upperBound <= count }) else {
            return self.peerViolated(key, error: TransferError(.protocolViolation, "the peer claims chunks that the file does not have"), now: now)
        }
        if self.gain(key, ranges.map(\.indices)) { self.noteProgress(key, now: now) }
        self.schedule(now: now)
    }

    /// Returns whether that is news. What is known already costs a step for 64 chunks, and is no sign of life: a peer could repeat it for ever.
    private mutating func gain(_ key: PeerKey, _ ranges: [Range<Int>]) -> Bool {
        guard let layout = self.layout, var peer = self.peers[key] else { return false }
        var chunks: ChunkSet
        var isNews = peer.holdings == nil
        switch peer.holdings {
        case .complete: return false
        case .partial(let known): chunks = known
        case nil: chunks = ChunkSet(universe: layout.chunkCount)
        }
        peer.holdings = nil  // The set below is the only reference now, so it is changed in place.
        self.peers[key] = peer
        for range in ranges {
            var next = chunks.firstAbsent(from: range.lowerBound)
            while let index = next, index < range.upperBound {
                chunks.insert(index)
                isNews = true
                if self.phase == .transferring { self.picker.partialHolderGained(index) }
                next = chunks.firstAbsent(from: index + 1)
            }
        }
        if chunks.count == layout.chunkCount {
            self.peers[key]?.holdings = .complete
            if self.phase == .transferring { self.picker.partialHolderRemoved(chunks) }
        } else {
            self.peers[key]?.holdings = .partial(chunks)
        }
        return isNews
    }

    /// Returns whether that is news.
    private mutating func becomeComplete(_ key: PeerKey) -> Bool {
        if case .complete = self.peers[key]?.holdings { return false }
        if case .partial(let chunks) = self.peers[key]?.holdings, self.phase == .transferring { self.picker.partialHolderRemoved(chunks) }
        self.peers[key]?.holdings = .complete
        return true
    }

    // MARK: - Chunks

    /// Chunks of one request were hashed, and written if they are right.
    ///
    /// - Parameters:
    ///   - chunks: Consecutive chunks that came.
    ///   - corrupt: Those of them that are not what the tree says.
    mutating func chunksChecked(_ chunks: Range<Int>, corrupt: [Int], from key: PeerKey, now: Instant) {
        guard let layout = self.layout, self.phase == .transferring else { return }
        self.noteProgress(key, now: now)
        var fresh: Range<Int>?
        var freshByteCount = 0
        for index in chunks where !corrupt.contains(index) {
            let byteCount = Self.byteCount(of: index, layout)
            let ownRequests = self.take(index, from: key, byteCount: byteCount, now: now) ? 1 : 0
            let requesterCount = self.picker.requesterCount(of: index)
            // The loser of a duplicate is right but not new. So is what a peer sent before it was let go.
            guard self.picker.verified(index) else { continue }
            freshByteCount += byteCount
            if requesterCount > ownRequests { self.cancelDuplicates(of: index) }
            if let run = fresh, run.upperBound == index {
                fresh = run.lowerBound..<index + 1
            } else {
                if let fresh { self.actions.append(.reportVerified(fresh)) }
                fresh = index..<index + 1
            }
        }
        if let fresh { self.actions.append(.reportVerified(fresh)) }
        if freshByteCount > 0 {
            self.peers[key]?.verifiedByteCount += UInt64(freshByteCount)
            self.peers[key]?.meter.record(freshByteCount, now: now)
        }
        if let first = corrupt.first {
            let error = TransferError(.corruptChunk, "chunk \(first) from the peer is not what the tree says; it comes from another")
            self.drop(key, error, isLie: true, now: now)
        }
        self.schedule(now: now)
    }

    mutating func chunksUnavailable(_ range: ChunkRange, reason: UnavailableReason, from key: PeerKey, now: Instant) {
        guard let layout = self.layout, let peer = self.peers[key] else { return }
        guard range.indices.upperBound <= layout.chunkCount else {
            return self.peerViolated(key, error: TransferError(.protocolViolation, "the peer names chunks that the file does not have"), now: now)
        }
        let isAnswer = self.returnChunks(range.indices, to: key)
        if isAnswer { self.noteProgress(key, now: now) }
        switch reason {
        case .busy:
            if isAnswer { self.peers[key]?.pausedUntil = now + .seconds(1) }
        case .notHeld, .unspecified:
            switch peer.holdings {
            case .partial(let chunks):
                self.takeBack(range.indices, of: chunks, from: key, layout: layout, now: now)
            case .complete, nil:
                self.drop(key, TransferError(.refused, "the peer said it holds everything, then that it does not hold chunk \(range.first)"), isLie: false, now: now)
            }
        case .changed, .unreadable, .layerUnsupported, .outOfRange:
            self.drop(key, TransferError(.refused, "the peer cannot deliver any more (\(reason))"), isLie: false, now: now)
        }
        self.schedule(now: now)
    }

    /// Chunks that will not come from this peer may come from another. Returns whether any was asked of it.
    private mutating func returnChunks(_ range: Range<Int>, to key: PeerKey) -> Bool {
        guard var peer = self.peers[key] else { return false }
        self.peers[key] = nil  // One reference, so that nothing in it is copied.
        var isAnswer = false
        for position in peer.requests.indices where peer.requests[position].range.overlaps(range) {
            for index in peer.requests[position].range.clamped(to: range) where peer.requests[position].take(index) {
                isAnswer = true
                peer.outstandingCount -= 1
                if !peer.requests[position].isReleased { self.picker.release(index) }
            }
        }
        if isAnswer { peer.requests.removeAll { $0.remaining == 0 } }
        self.peers[key] = peer
        return isAnswer
    }

    /// The peer does not hold these after all. Who takes back more chunks than there are plays with us.
    private mutating func takeBack(_ range: Range<Int>, of chunks: ChunkSet, from key: PeerKey, layout: ChunkLayout, now: Instant) {
        guard var next = chunks.first(from: range.lowerBound), next < range.upperBound else { return }
        var chunks = chunks
        var lost = ChunkSet(universe: layout.chunkCount)
        while next < range.upperBound {
            chunks.remove(next)
            lost.insert(next)
            guard let following = chunks.first(from: next + 1) else { break }
            next = following
        }
        self.peers[key]?.holdings = .partial(chunks)
        self.peers[key]?.takenBackCount += lost.count
        if self.phase == .transferring { self.picker.partialHolderRemoved(lost) }
        if let count = self.peers[key]?.takenBackCount, count > layout.chunkCount {
            self.drop(key, TransferError(.refused, "the peer keeps changing what it says it holds"), isLie: false, now: now)
        }
    }

    /// Removes a chunk that came from what is outstanding, and tells the window. Returns whether the picker counts this peer for it.
    private mutating func take(_ index: Int, from key: PeerKey, byteCount: Int, now: Instant) -> Bool {
        guard let position = self.peers[key]?.requests.firstIndex(where: { $0.range.contains(index) }),
            let request = self.peers[key]?.requests[position], self.peers[key]?.requests[position].take(index) == true
        else { return false }
        self.peers[key]?.outstandingCount -= 1
        let isFirst = request.remainingCount == request.range.count
        self.peers[key]?.window.received(
            byteCount, roundTrip: request.measuresRoundTrip && isFirst ? now - request.requestedAt : nil, now: now)
        if request.remainingCount == 1 { self.peers[key]?.requests.remove(at: position) }
        return !request.isReleased
    }

    /// Another peer was asked for the same chunk: it need not send it any more.
    private mutating func cancelDuplicates(of index: Int) {
        for (key, peer) in self.peers where peer.outstandingCount > 0 {
            guard let position = peer.requests.firstIndex(where: { $0.range.contains(index) }),
                self.peers[key]?.requests[position].take(index) == true
            else { continue }
            self.peers[key]?.outstandingCount -= 1
            if self.peers[key]?.requests[position].remaining == 0 { self.peers[key]?.requests.remove(at: position) }
            self.actions.append(.cancel(key, index..<index + 1))
        }
    }

    static func byteCount(of index: Int, _ layout: ChunkLayout) -> Int {
        layout.byteCount(of: ChunkIndex(UInt32(truncatingIfNeeded: index))) ?? 0
    }

    // MARK: - Readers

    /// Chunks that readers wait for, the most urgent first.
    mutating func setPriorities(_ ranges: [Range<Int>], now: Instant) {
        self.picker.setPriorities(ranges)
        self.schedule(now: now)
    }

    // MARK: - Time

    mutating func deadlineReached(now: Instant) {
        guard self.phase != .finished else { return }
        for key in self.peers.keys.sorted() {
            guard let peer = self.peers[key] else { continue }
            if let pausedUntil = peer.pausedUntil, now >= pausedUntil { self.peers[key]?.pausedUntil = nil }
            guard peer.isAwaited || peer.isStalled else { continue }
            let silence = now - peer.lastProgress
            let isLastStall = !peer.isStalled && peer.stallCount + 1 >= self.configuration.maximumStallCount
            if silence >= self.configuration.peerTimeout || (isLastStall && silence >= self.configuration.requestTimeout) {
                let error = TransferError(.stalled, "the peer sent nothing for \(Int(silence.seconds)) s")
                self.drop(key, error, isLie: false, now: now)
            } else if silence >= self.configuration.requestTimeout, !peer.isStalled {
                self.stall(key, now: now)
            }
        }
        self.schedule(now: now)
        if let starvedSince = self.starvedSince, now - starvedSince >= self.configuration.holderTimeout { self.failWithoutHolders() }
    }

    private mutating func stall(_ key: PeerKey, now: Instant) {
        guard var peer = self.peers[key] else { return }
        peer.isStalled = true
        peer.stallCount += 1
        peer.window.stalled(now: now)
        for position in peer.requests.indices where !peer.requests[position].isReleased {
            for index in peer.requests[position].indices { self.picker.release(index) }
            if position == 0 {
                peer.requests[position].isReleased = true
            } else {
                self.actions.append(.cancel(key, peer.requests[position].range))
            }
        }
        peer.requests.removeAll { !$0.isReleased }
        peer.outstandingCount = peer.requests.reduce(0) { $0 + $1.remainingCount }
        for segment in peer.hashRequests {
            self.segments?.giveUp(segment, by: key)
        }
        self.peers[key] = peer
    }

    private mutating func noteProgress(_ key: PeerKey, now: Instant) {
        self.peers[key]?.lastProgress = now
        guard var peer = self.peers[key], peer.isStalled else { return }
        // It is still at its probe: what others have not brought meanwhile counts as asked of it again.
        peer.isStalled = false
        for position in peer.requests.indices where peer.requests[position].isReleased {
            peer.requests[position].isReleased = false
            for index in peer.requests[position].indices where !self.picker.reclaim(index) {
                _ = peer.requests[position].take(index)
                peer.outstandingCount -= 1
            }
        }
        peer.requests.removeAll { $0.remaining == 0 }
        self.peers[key] = peer
    }

    // MARK: - Letting go

    private mutating func drop(_ key: PeerKey, _ error: TransferError, isLie: Bool, now: Instant) {
        guard let peer = self.peers[key] else { return }
        if isLie { self.banned.insert(peer.peer) }
        self.actions.append(.dropPeer(key, error))
        self.forget(key, error: error, now: now)
    }

    private mutating func forget(_ key: PeerKey, error: TransferError?, now: Instant) {
        guard var peer = self.peers.removeValue(forKey: key) else { return }
        for request in peer.requests where !request.isReleased {
            for index in request.indices { self.picker.release(index) }
        }
        for segment in peer.hashRequests {
            self.segments?.giveUp(segment, by: key)
        }
        if case .partial(let chunks) = peer.holdings, self.phase == .transferring { self.picker.partialHolderRemoved(chunks) }
        if let error { self.record(PeerFailure(peer: peer.peer, error: error)) }
        let before = self.departed[peer.peer]?.verifiedByteCount ?? 0
        self.departed[peer.peer] = PeerStatistics(
            peer: peer.peer, verifiedByteCount: before + peer.verifiedByteCount, rate: 0, roundTrip: peer.window.shortestRoundTrip,
            outstandingChunkCount: 0, windowChunkCount: 0, stallCount: peer.stallCount, isStalled: false, isConnected: false)
        _ = peer.meter.rate(now: now)
    }

    private mutating func record(_ failure: PeerFailure) {
        if self.failures.count == Self.maximumFailureCount { self.failures.removeFirst() }
        self.failures.append(failure)
    }

    /// No peer could change it.
    private mutating func fail(_ error: TransferError) {
        guard self.phase != .finished else { return }
        self.phase = .finished
        self.actions.append(.fail(error))
    }

    private mutating func failWithoutHolders() {
        if self.descriptor == nil, let folder = self.failures.first(where: { $0.error.code == .isFolder }) { return self.fail(folder.error) }
        let seconds = Int(self.configuration.holderTimeout.seconds)
        let kept = self.picker.verifiedCount > 0 ? "; \(self.picker.verifiedCount) of \(self.picker.chunkCount) chunks are kept" : ""
        let what = self.failures.isEmpty ? "nobody who holds it is connected" : "nobody who is connected can deliver the rest"
        self.fail(TransferError(.noHolders, "\(what), after waiting \(seconds) s\(kept). Start a holder and try again", peers: self.failures))
    }

    // MARK: - Scheduling

    private mutating func schedule(now: Instant) {
        guard self.phase != .finished else { return }
        if self.phase == .transferring {
            if self.picker.isComplete, self.checksInProgress == 0 {
                for (key, peer) in self.peers {
                    for request in peer.requests where request.remaining != 0 { self.actions.append(.cancel(key, request.range)) }
                }
                self.phase = .finished
                self.starvedSince = nil
                self.actions.append(.finish)
                return
            }
            self.scheduleChunks(now: now)
            self.scheduleHashes(now: now)
        }
        self.updateStarvation(now: now)
    }

    private mutating func updateStarvation(now: Instant) {
        let isFed = self.phase == .preparing || self.connectingCount > 0 || self.checksInProgress > 0 || self.peers.values.contains { $0.isAwaited || $0.pausedUntil != nil }
        if isFed {
            self.starvedSince = nil
        } else if self.starvedSince == nil {
            self.starvedSince = now
            // Nobody says that it is a file, and somebody that it is a folder: waiting would not change that.
            if self.peers.isEmpty, self.descriptor == nil, self.failures.contains(where: { $0.error.code == .isFolder }) {
                self.failWithoutHolders()
            }
        }
    }

    private func windowChunkCount(_ peer: Peer, chunkByteCount: Int) -> Int {
        if let concurrency = self.configuration.concurrency {
            return max(1, min(concurrency, self.configuration.peerConcurrency ?? concurrency))
        }
        if let peerConcurrency = self.configuration.peerConcurrency { return max(1, peerConcurrency) }
        return min(self.configuration.maximumWindowChunkCount, max(1, peer.window.byteCount / max(1, chunkByteCount)))
    }

    private mutating func scheduleChunks(now: Instant) {
        guard let layout = self.layout else { return }
        let requestLimit = Self.maximumRequestChunkCount(chunkByteCount: layout.chunkByteCount)
        var total = 0
        for peer in self.peers.values { total += peer.outstandingCount }
        let totalLimit = self.configuration.concurrency.map { max(1, $0) } ?? Int.max
        for key in self.keysByRate(now: now) {
            guard var peer = self.peers[key], let holdings = peer.holdings, !peer.isStalled, peer.pausedUntil == nil,
                peer.isDescribed || layout.chunkCount == 1
            else { continue }
            let window = self.windowChunkCount(peer, chunkByteCount: layout.chunkByteCount)
            // A quarter of the window at a time, so that a fast peer gets long requests and not one chunk after each that came.
            let batch = min(requestLimit, max(1, window / 4))
            var isSupplied = true
            while total < totalLimit {
                let room = min(window - peer.outstandingCount, totalLimit - total)
                guard room >= min(batch, totalLimit - total) else { break }
                let range: Range<Int>
                if let picked = self.picker.pick(from: holdings, limit: min(room, requestLimit), segment: SegmentTable.nodeCount) {
                    range = picked
                } else if peer.requests.isEmpty, let duplicate = self.duplicate(for: key, holdings: holdings, limit: min(room, requestLimit), now: now) {
                    range = duplicate
                } else {
                    isSupplied = false
                    break
                }
                guard let hashes = self.segments?.hashes(of: range) else {
                    for index in range { self.picker.release(index) }
                    break
                }
                if peer.requests.isEmpty {
                    peer.window.startedAfterIdle(now: now)
                    if !peer.isAwaited { peer.lastProgress = now }
                }
                peer.requests.append(
                    Request(
                        range: range, remaining: ~0 >> UInt64(64 - range.count), requestedAt: now, measuresRoundTrip: peer.requests.isEmpty))
                peer.outstandingCount += range.count
                total += range.count
                self.actions.append(.getChunks(key, range, hashes: hashes))
            }
            if isSupplied { peer.window.filled() }
            self.peers[key] = peer
        }
    }

    /// The fastest first: it matters when there is less to ask for than there is room.
    private mutating func keysByRate(now: Instant) -> [PeerKey] {
        guard self.peers.count > 1 else { return Array(self.peers.keys) }
        var rates: [(key: PeerKey, rate: Double)] = []
        for key in self.peers.keys {
            let rate = self.peers[key]?.meter.rate(now: now) ?? 0
            rates.append((key, rate))
        }
        rates.sort { $0.rate != $1.rate ? $0.rate > $1.rate : $0.key < $1.key }
        return rates.map(\.key)
    }

    /// Near the end, an idle peer takes over chunks for which a slower one would need much longer.
    private mutating func duplicate(for key: PeerKey, holdings: ChunkHoldings, limit: Int, now: Instant) -> Range<Int>? {
        guard self.configuration.maximumRequesterCount > 1, self.picker.pickableCount == 0, let layout = self.layout, self.peers.count > 1 else { return nil }
        let chunkByteCount = Double(layout.chunkByteCount)
        let ownRate = self.peers[key]?.meter.rate(now: now) ?? 0
        let roundTrip = self.peers[key]?.window.shortestRoundTrip?.seconds ?? 0
        // A peer that has shown nothing yet may try when the owner needs more than a few seconds.
        let own = ownRate > 0 ? roundTrip + chunkByteCount / ownRate : 1
        var best: (seconds: Double, request: Request)?
        for other in self.peers.keys where other != key {
            guard var owner = self.peers[other] else { continue }
            let rate = owner.meter.rate(now: now)
            self.peers[other] = owner
            var queued = 0
            for request in owner.requests where !request.isReleased {
                queued += request.remainingCount
                let seconds = rate > 0 ? Double(queued) * chunkByteCount / rate : 10
                guard seconds > 2 * own + 0.05, seconds > best?.seconds ?? 0,
                    request.indices.contains(where: { self.isDuplicable($0, holdings) })
                else { continue }
                best = (seconds, request)
            }
        }
        guard let request = best?.request, let last = request.indices.last(where: { self.isDuplicable($0, holdings) }) else { return nil }
        // From the back of the request, where its owner comes last.
        var start = last
        while start > request.range.lowerBound, last - start + 1 < limit, request.remaining & (1 << UInt64(start - 1 - request.range.lowerBound)) != 0,
            self.isDuplicable(start - 1, holdings)
        {
            start -= 1
        }
        for index in start...last { _ = self.picker.addRequester(index) }
        return start..<last + 1
    }

    private func isDuplicable(_ index: Int, _ holdings: ChunkHoldings) -> Bool {
        self.picker.state(of: index) == .requested && self.picker.requesterCount(of: index) < self.configuration.maximumRequesterCount
            && holdings.contains(index)
    }

    // MARK: - Scheduling hashes

    private mutating func scheduleHashes(now: Instant) {
        guard var segments = self.segments, !segments.areAllKnown, let layout = self.layout else { return }
        self.segments = nil  // Changed in place below.
        defer { self.segments = segments }
        var inFlight = self.peers.values.reduce(0) { $0 + $1.hashRequests.count }
        let windows = self.peers.values.reduce(0) { $0 + self.windowChunkCount($1, chunkByteCount: layout.chunkByteCount) }
        let ahead = max(SegmentTable.nodeCount, 2 * windows)
        while inFlight < Self.maximumHashRequestCount {
            guard let segment = self.wantedSegment(&segments, ahead: ahead, inFlight: inFlight), let key = self.hashSource(for: segment) else { return }
            segments.set(segment, .requested(key))
            if self.peers[key]?.isAwaited == false { self.peers[key]?.lastProgress = now }
            self.peers[key]?.hashRequests.insert(segment)
            inFlight += 1
            self.actions.append(.getHashes(key, segments.request(for: segment)))
        }
    }

    private func wantedSegment(_ segments: inout SegmentTable, ahead: Int, inFlight: Int) -> Int? {
        for range in self.picker.priorities {
            for segment in segments.segment(of: range.lowerBound)...segments.segment(of: range.upperBound - 1) where segments.isUnknown(segment) {
                return segment
            }
        }
        if self.picker.pickableCount + inFlight * SegmentTable.nodeCount < ahead, let segment = segments.firstUnknown() { return segment }
        // A partial holder may have chunks only where no hash is known yet.
        for peer in self.peers.values where peer.requests.isEmpty && peer.hashRequests.isEmpty {
            guard case .partial(let chunks) = peer.holdings else { continue }
            for segment in segments.segments.indices where segments.isUnknown(segment) {
                let range = segments.chunks(of: segment)
                if let held = chunks.first(from: range.lowerBound), held < range.upperBound { return segment }
            }
        }
        return nil
    }

    /// Whoever has the fewest hash requests open. A peer that is not described yet may be asked if the descriptor is known: the request
    /// travels right behind `describe`.
    private func hashSource(for segment: Int) -> PeerKey? {
        self.peers
            .filter { !$0.value.isStalled && $0.value.pausedUntil == nil && !$0.value.lackedSegments.contains(segment) && !$0.value.hashRequests.contains(segment) }
            .min { ($0.value.hashRequests.count, $0.value.isDescribed ? 0 : 1, $0.key) < ($1.value.hashRequests.count, $1.value.isDescribed ? 0 : 1, $1.key) }?
            .key
    }
}
