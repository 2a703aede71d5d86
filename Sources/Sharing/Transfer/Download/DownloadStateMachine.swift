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
        min(AwaitedChunks.maximumCount, max(1, Self.requestByteCount / max(1, chunkByteCount)))
    }

    enum Phase {
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
    var descriptor: FileDescriptor?
    var layout: ChunkLayout?
    var phase = Phase.describing
    var picker = ChunkPicker(chunkCount: 0)
    var segments: SegmentTable?
    /// What an earlier run left, not yet compared.
    var claimed = ChunkBitmap(count: 0)
    var checksInProgress = 0
    var peers: [PeerKey: Peer] = [:]
    var banned: Set<PeerID> = []
    var failures: [PeerFailure] = []
    var departed: [PeerID: PeerStatistics] = [:]
    var starvedSince: Instant?
    var connectingCount = 0
    var actions: [Action] = []
    var nextActionIndex = 0

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
    static func layout(of descriptor: FileDescriptor, layer: Int?) throws(TransferError) -> ChunkLayout {
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
    var peerCount: Int { self.peers.count }

    /// Hashes of chunks in one segment, if they are known: to serve others while downloading.
    func hashes(of chunks: Range<Int>) -> ArraySlice<SHA256Digest>? { self.segments?.hashes(of: chunks) }

    /// All chunk hashes, once they are known.
    var chunkLayerBytes: [UInt8]? { self.segments?.chunkLayerBytes }
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
            self.drop(key, description.refusal ?? .refusal(reason), isLie: false, now: now)
        }
        self.schedule(now: now)
    }

    var layerError: TransferError {
        let layer = self.layout?.layer ?? self.demandedLayer ?? ChunkLayout.defaultLayer
        return TransferError(.unsupportedLayer, "the peer does not serve chunks of \(TreeGeometry.blockByteCount << layer) bytes, which this download uses")
    }

    mutating func describedFile(_ key: PeerKey, size: UInt64, root: SHA256Digest, chunkLayer: Int, now: Instant) {
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

    mutating func accept(_ descriptor: FileDescriptor, _ layout: ChunkLayout) {
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

    // MARK: - Readers

    /// Chunks that readers wait for, the most urgent first.
    mutating func setPriorities(_ ranges: [Range<Int>], now: Instant) {
        self.picker.setPriorities(ranges)
        self.schedule(now: now)
    }
}
