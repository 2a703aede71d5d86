public import DIGContent
import DIGIdentity
public import DIGNet
public import Logging
public import NIOCore
public import NIOPosix

/// Fetches one file from any number of peers that come and go.
///
///     let download = FileDownload(link.contentHash, to: destination, store: store, eventLoop: loop, threadPool: .singleton, logger: logger)
///     download.add(connection)
///     let result = try await download.run()
///
/// Every chunk is proven before it counts, and kept from then on: a later download to the same destination goes on where this one
/// ended, however it ended.
///
/// `@unchecked Sendable`: every `var` is used on `eventLoop` only.
public final class FileDownload: @unchecked Sendable {
    private struct Link {
        let attachment: SessionAttachment
        let connection: ConnectionID?
    }

    private enum Phase {
        case idle
        case running(EventLoopPromise<Void>)
        case ended((any Error)?)
    }

    public let contentHash: ContentHash
    public let destination: DownloadDestination
    public let options: DownloadOptions
    /// The last value waits for whoever is slow; values before it are dropped. Ends with the download.
    public let progress: AsyncStream<TransferProgress>

    let eventLoop: any EventLoop
    let threadPool: NIOThreadPool
    private let descriptorHint: DIGContent.FileDescriptor?
    private let store: any TransferStore
    private let limiter: RateLimiter?
    private let logger: Logger
    private let pool: ChunkSlabPool
    private let progressContinuation: AsyncStream<TransferProgress>.Continuation
    private let checkpoints: AsyncStream<Void>
    private let checkpointContinuation: AsyncStream<Void>.Continuation
    private let hashSource = DownloadHashSource()

    private var phase = Phase.idle
    private var isCancelled = false
    private var machine: DownloadStateMachine?
    private var isUpdating = false
    private var deferred: [(inout DownloadStateMachine, ContinuousClock.Instant) -> Void] = []
    private var waitingConnections: [any Connection] = []
    private var waitingSessions: [PeerSession] = []
    private var opening: [PeerKey: Task<Void, Never>] = [:]
    private var openingConnections: [PeerKey: ConnectionID] = [:]
    private var links: [PeerKey: Link] = [:]
    private var nextKey: UInt64 = 0
    private var timer: Scheduled<Void>?
    private var timerDeadline: ContinuousClock.Instant?
    private var progressTimer: RepeatedTask?
    private var prepareTask: Task<Void, Never>?
    private var part: PartFile?
    /// Known once the file is open.
    private var layout: ChunkLayout?
    private var savedHashes: [UInt8]?
    private var savedBitmap: ChunkBitmap?
    private var areHashesSaved = false
    private var isLayerPublished = false
    private var verified = ChunkBitmap(count: 0)
    private var verifiedByteCount: UInt64 = 0
    private var resumedByteCount: UInt64 = 0
    private var uncheckpointedByteCount: UInt64 = 0
    private var lastCheckpoint = ContinuousClock.now
    private var availability: PartialAvailability?
    private var meter = RateMeter(now: .now)
    private var isPresent = false
    private var publishedPath: String?
    private var readers: [UInt64: ReaderState] = [:]
    private var nextReader: UInt64 = 0
    private var hasPriorities = false

    /// - Parameters:
    ///   - descriptor: From a link. Saves a round trip; ignored if it does not belong to `contentHash`.
    ///   - store: Where the state is kept for a later run.
    ///   - limiter: For the bytes received.
    ///   - eventLoop: Where all decisions are made. Best the loop of the fastest connection: its chunks then never change threads on the way in.
    ///   - threadPool: Hashes and writes. Must be running as long as the download.
    ///   - pool: Buffers shared with other downloads.
    init(
        _ contentHash: ContentHash, descriptor: DIGContent.FileDescriptor?, to destination: DownloadDestination, options: DownloadOptions,
        store: any TransferStore, limiter: RateLimiter?, eventLoop: any EventLoop, threadPool: NIOThreadPool, pool: ChunkSlabPool, logger: Logger
    ) {
        self.contentHash = contentHash
        self.descriptorHint = descriptor?.contentHash == contentHash ? descriptor : nil
        self.destination = destination
        self.options = options
        self.store = store
        self.limiter = limiter
        self.eventLoop = eventLoop
        self.threadPool = threadPool
        self.pool = pool
        self.logger = logger
        (self.progress, self.progressContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (self.checkpoints, self.checkpointContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// - Parameters:
    ///   - descriptor: From a link. Saves a round trip; ignored if it does not belong to `contentHash`.
    ///   - store: Where the state is kept for a later run.
    ///   - limiter: For the bytes received.
    ///   - eventLoop: Where all decisions are made. Best the loop of the fastest connection: its chunks then never change threads on the way in.
    ///   - threadPool: Hashes and writes. Must be running as long as the download.
    public convenience init(
        _ contentHash: ContentHash, descriptor: DIGContent.FileDescriptor? = nil, to destination: DownloadDestination, options: DownloadOptions = DownloadOptions(),
        store: any TransferStore, limiter: RateLimiter? = nil, eventLoop: any EventLoop, threadPool: NIOThreadPool, logger: Logger
    ) {
        self.init(
            contentHash, descriptor: descriptor, to: destination, options: options, store: store, limiter: limiter, eventLoop: eventLoop,
            threadPool: threadPool, pool: ChunkSlabPool(byteCount: options.bufferByteCount), logger: logger)
    }

    deinit {
        self.progressContinuation.finish()
        self.checkpointContinuation.finish()
    }

    // MARK: - Peers

    /// Fetches from this peer too, from now or from the start of ``run()`` on. A peer that lied before is not asked again.
    public func add(_ connection: any Connection) {
        self.eventLoop.execute { self.addOnLoop(connection) }
    }

    /// Asks nothing more of this connection. What it gave stays.
    public func remove(_ connection: any Connection) {
        let id = connection.id
        self.eventLoop.execute {
            self.waitingConnections.removeAll { $0.id == id }
            for (key, opening) in self.openingConnections where opening == id {
                self.opening.removeValue(forKey: key)?.cancel()
                self.openingConnections[key] = nil
                self.openingChanged()
            }
            for (key, link) in self.links where link.connection == id {
                self.links[key] = nil
                link.attachment.detach(closesSession: false)
                self.update { machine, now in machine.peerRemoved(key, error: nil, now: now) }
            }
        }
    }

    /// Shares a session with other downloads.
    func add(_ session: PeerSession) {
        self.eventLoop.execute {
            switch self.phase {
            case .idle: self.waitingSessions.append(session)
            case .running: self.link(session, connection: nil, ownsSession: false, key: self.makeKey())
            case .ended: break
            }
        }
    }

    private func makeKey() -> PeerKey {
        self.nextKey += 1
        return PeerKey(rawValue: self.nextKey)
    }

    private func addOnLoop(_ connection: any Connection) {
        switch self.phase {
        case .ended: return
        case .idle: return self.waitingConnections.append(connection)
        case .running: break
        }
        let id = connection.id
        guard !self.links.values.contains(where: { $0.connection == id }), !self.openingConnections.values.contains(id) else { return }
        let key = self.makeKey()
        self.openingConnections[key] = id
        self.opening[key] = Task {
            let result: Result<PeerSession, any Error>
            do {
                result = .success(
                    try await PeerSession.open(on: connection, pool: self.pool, limiter: self.limiter, threadPool: self.threadPool, logger: self.logger))
            } catch {
                result = .failure(error)
            }
            self.eventLoop.execute { self.opened(key, id, connection.remotePeer, result) }
        }
        self.openingChanged()
    }

    private func openingChanged() {
        let count = self.opening.count
        self.update { machine, now in machine.connecting(count, now: now) }
    }

    private func opened(_ key: PeerKey, _ id: ConnectionID, _ peer: PeerID, _ result: Result<PeerSession, any Error>) {
        let wasWanted = self.opening.removeValue(forKey: key) != nil
        self.openingConnections[key] = nil
        switch result {
        case .success(let session):
            guard wasWanted, case .running = self.phase else { return session.eventLoop.execute { session.close() } }
            self.link(session, connection: id, ownsSession: true, key: key)
        case .failure(let error):
            guard wasWanted else { return }
            let failure = TransferError(.disconnected, "no transfer stream to the peer", cause: error)
            self.update { machine, now in machine.peerUnreachable(peer, error: failure, now: now) }
        }
        self.openingChanged()
    }

    private func link(_ session: PeerSession, connection: ConnectionID?, ownsSession: Bool, key: PeerKey) {
        let attachment = SessionAttachment(session: session, ownsSession: ownsSession, eventLoop: self.eventLoop) { [weak self] event in
            self?.received(event, from: key)
        }
        self.links[key] = Link(attachment: attachment, connection: connection)
        self.update { machine, now in
            if !machine.peerAdded(key, peer: session.peer, now: now) {
                self.links[key] = nil
                attachment.detach(closesSession: false)
            }
        }
    }

    private func received(_ event: SessionEvent, from key: PeerKey) {
        // The file takes what is right even if its sender was let go meanwhile.
        if case .checked = event {} else if self.links[key] == nil { return }
        switch event {
        case .ended, .violated: self.links[key] = nil
        default: break
        }
        if case .diskFailed(let error) = event { return self.finish(error) }
        self.update { machine, now in
            switch event {
            case .described(let description): machine.described(key, as: description, now: now)
            case .bitfield(let part): machine.receivedBitfield(part, from: key, now: now)
            case .have(let ranges): machine.receivedHave(ranges, from: key, now: now)
            case .hashes(let segment): machine.receivedHashes(segment, from: key, now: now)
            case .hashesUnavailable(let id): machine.hashesUnavailable(id, from: key, now: now)
            case .chunksUnavailable(let range, let reason): machine.chunksUnavailable(range, reason: reason, from: key, now: now)
            case .checked(let chunks, let corrupt): machine.chunksChecked(chunks, corrupt: corrupt, from: key, now: now)
            case .progressed: machine.progressed(key, now: now)
            case .violated(let error): machine.peerViolated(key, error: error, now: now)
            case .ended(let error): machine.peerRemoved(key, error: error, now: now)
            case .listingPart, .diskFailed: break
            }
        }
    }

    // MARK: - Running

    /// Fetches the file and gives it its name.
    ///
    /// Ends when every chunk is proven, on an error that no other peer can repair, or when nobody who can deliver was connected for
    /// ``DownloadConfiguration/holderTimeout``. Cancelling stops at once. Whatever the end, verified chunks stay on disk and the state in the store.
    ///
    /// - Throws: ``TransferError``; `.noHolders` has the reason of each peer. `CancellationError`.
    public func run() async throws -> DownloadResult {
        let start = ContinuousClock.now
        do {
            let result = try await withTaskCancellationHandler {
                try await self.runUncancelled(start: start)
            } onCancel: {
                self.eventLoop.execute {
                    self.isCancelled = true
                    self.finish(CancellationError())
                }
            }
            self.progressContinuation.finish()
            return result
        } catch {
            self.progressContinuation.finish()
            throw error
        }
    }

    private func runUncancelled(start: ContinuousClock.Instant) async throws -> DownloadResult {
        let chunkLayer = try self.options.chunkLayer()
        let saved = try await self.savedTransfer(chunkLayer: chunkLayer)
        let done = try await self.eventLoop.submit { try self.begin(saved, chunkLayer: chunkLayer) }.get()
        async let saving: Void = self.saveCheckpoints()
        do {
            try await done.get()
        } catch {
            self.checkpointContinuation.finish()
            await saving
            await self.keep()
            throw error
        }
        self.checkpointContinuation.finish()
        await saving
        return try await self.complete(start: start)
    }

    /// What an earlier run left, in the chunks of this one.
    private func savedTransfer(chunkLayer: Int?) async throws(TransferError) -> SavedTransfer? {
        do {
            guard let saved = try await self.store.load(self.contentHash, destination: self.destination.path) else { return nil }
            guard let chunkLayer, chunkLayer != saved.chunkLayer else { return saved }
            // Hashes stay in the store until they are replaced, and these belong to the other layer.
            try await self.store.remove(self.contentHash, destination: self.destination.path)
            return saved.converted(toChunkLayer: chunkLayer)
        } catch {
            throw TransferError(.storeFailure, "the state of the transfer could not be loaded", cause: error)
        }
    }

    private func begin(_ saved: SavedTransfer?, chunkLayer: Int?) throws -> EventLoopFuture<Void> {
        guard case .idle = self.phase else { throw TransferError(.inUse, "a download runs once: make another") }
        guard !self.isCancelled else {
            self.phase = .ended(CancellationError())
            throw CancellationError()
        }
        let promise = self.eventLoop.makePromise(of: Void.self)
        self.phase = .running(promise)
        let now = ContinuousClock.now
        self.lastCheckpoint = now
        self.meter = RateMeter(now: now)
        let scheduling = self.options.scheduling
        if let saved, saved.descriptor.contentHash == self.contentHash {
            self.savedHashes = saved.chunkHashes
            self.savedBitmap = saved.verified
            self.areHashesSaved = saved.chunkHashes != nil && chunkLayer == nil
            self.machine = DownloadStateMachine(
                contentHash: self.contentHash, descriptor: saved.descriptor, chunkLayer: chunkLayer, savedChunkLayer: saved.chunkLayer,
                configuration: scheduling, now: now)
        } else {
            self.machine = DownloadStateMachine(
                contentHash: self.contentHash, descriptor: self.descriptorHint, chunkLayer: chunkLayer, configuration: scheduling, now: now)
        }
        let interval = TimeAmount(self.options.progressInterval)
        self.progressTimer = self.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in self.tick() }
        self.update { _, _ in }
        for connection in self.waitingConnections { self.addOnLoop(connection) }
        for session in self.waitingSessions { self.link(session, connection: nil, ownsSession: false, key: self.makeKey()) }
        self.waitingConnections = []
        self.waitingSessions = []
        return promise.futureResult
    }

    /// Ends the run. Later calls do nothing.
    private func finish(_ error: (any Error)?) {
        guard case .running(let promise) = self.phase else { return }
        self.phase = .ended(error)
        self.timer?.cancel()
        self.progressTimer?.cancel()
        self.prepareTask?.cancel()
        for task in self.opening.values { task.cancel() }
        self.opening = [:]
        self.openingConnections = [:]
        let links = self.links.values
        self.links = [:]
        for link in links { link.attachment.detach(closesSession: false) }
        self.wakeReaders()
        if let error { promise.fail(error) } else { promise.succeed() }
    }

    /// Feeds the machine and does what it says. Calls from within are done afterwards.
    private func update(_ body: @escaping (inout DownloadStateMachine, ContinuousClock.Instant) -> Void) {
        guard !self.isUpdating else { return self.deferred.append(body) }
        guard case .running = self.phase, var machine = self.machine else {
            return self.updateAfterEnd(body)
        }
        self.isUpdating = true
        self.machine = nil  // One reference, so that nothing in it is copied.
        let now = ContinuousClock.now
        body(&machine, now)
        var commands: [PeerKey: [SessionCommand]] = [:]
        while let action = machine.nextAction() { self.perform(action, machine: &machine, commands: &commands) }
        let deadline = machine.deadline
        self.machine = machine
        self.isUpdating = false
        for (key, commands) in commands { self.links[key]?.attachment.perform(commands) }
        self.schedule(deadline)
        if !self.deferred.isEmpty {
            let next = self.deferred.removeFirst()
            self.update(next)
        }
    }

    /// After the end only what was proven still counts: jobs that were running when the download was stopped.
    private func updateAfterEnd(_ body: (inout DownloadStateMachine, ContinuousClock.Instant) -> Void) {
        guard case .ended = self.phase, var machine = self.machine else { return }
        self.machine = nil
        body(&machine, .now)
        while let action = machine.nextAction() {
            if case .reportVerified(let chunks) = action { self.noteVerified(chunks, machine: machine) }
        }
        self.machine = machine
    }

    private func perform(_ action: DownloadStateMachine.Action, machine: inout DownloadStateMachine, commands: inout [PeerKey: [SessionCommand]]) {
        switch action {
        case .describe(let key, let chunkLayer, let subscribes):
            guard let attachment = self.links[key]?.attachment else { return }
            attachment.start(self.contentHash, chunkLayer: chunkLayer, subscribes: subscribes)
            if let part = self.part, let layout = machine.layout { attachment.prepare(file: part, layout: layout) }
        case .prepareStorage(let descriptor, let layout):
            self.prepareStorage(descriptor, layout)
        case .getHashes(let key, let request):
            commands[key, default: []].append(.getHashes(request))
        case .getChunks(let key, let chunks, let hashes):
            commands[key, default: []].append(.getChunks(chunks, hashes: hashes))
        case .cancel(let key, let chunks):
            commands[key, default: []].append(.cancel(chunks))
        case .checkStored(let chunks, let claimed, let hashes):
            self.checkStored(chunks, claimed: claimed, hashes: hashes, layout: machine.layout)
        case .reportVerified(let chunks):
            self.noteVerified(chunks, machine: machine)
        case .dropPeer(let key, let error):
            self.logger.debug("let a peer go", metadata: ["dig.transfer.error": "\(error)"])
            self.links.removeValue(forKey: key)?.attachment.detach(closesSession: error.endsSession)
        case .finish:
            self.finish(nil)
        case .fail(let error):
            self.finish(error)
        }
    }

    private func schedule(_ deadline: ContinuousClock.Instant?) {
        guard case .running = self.phase else { return }
        guard deadline != self.timerDeadline else { return }
        // A later deadline is looked at when the earlier one fires: most of them move at every chunk.
        if let timerDeadline = self.timerDeadline, let deadline, deadline > timerDeadline { return }
        self.timer?.cancel()
        self.timerDeadline = deadline
        guard let deadline else { return }
        self.timer = self.eventLoop.scheduleTask(in: TimeAmount(max(.zero, deadline - .now))) {
            self.timerDeadline = nil
            self.update { machine, now in machine.deadlineReached(now: now) }
        }
    }

    // MARK: - Disk

    private func prepareStorage(_ descriptor: DIGContent.FileDescriptor, _ layout: ChunkLayout) {
        let preparation = StoragePreparation(
            descriptor: descriptor, layout: layout, destination: self.destination, keepsFile: self.options.keepsFile, savedHashes: self.savedHashes,
            savedBitmap: self.savedBitmap)
        self.prepareTask = Task {
            do {
                let prepared = try await preparation.run(on: self.threadPool)
                self.eventLoop.execute { self.storagePrepared(prepared, layout) }
            } catch {
                self.eventLoop.execute { self.finish(error) }
            }
        }
    }

    private func storagePrepared(_ prepared: StoragePreparation.Outcome, _ layout: ChunkLayout) {
        switch prepared {
        case .present(let path):
            guard case .running = self.phase else { return }
            self.isPresent = true
            self.layout = layout
            self.publishedPath = path
            self.verifiedByteCount = layout.fileSize
            self.finish(nil)
        case .opened(let part, let claimed, let hashes):
            guard case .running = self.phase else { return part.close(promise: nil) }
            self.part = part
            self.layout = layout
            self.verified = ChunkBitmap(count: layout.chunkCount)
            self.availability = PartialAvailability(ChunkBitmap(count: layout.chunkCount))
            for link in self.links.values { link.attachment.prepare(file: part, layout: layout) }
            self.update { machine, now in machine.storageReady(claimed: claimed, chunkLayer: hashes, now: now) }
            self.prioritiesChanged()
            self.wakeReaders()
        }
    }

    private func checkStored(_ chunks: Range<Int>, claimed: ChunkBitmap, hashes: ArraySlice<SHA256Digest>, layout: ChunkLayout?) {
        guard let part = self.part, let layout else { return }
        let pool = self.pool
        let perRead = max(1, ChunkSlab.byteCount / layout.chunkByteCount)
        self.threadPool.runIfActive(eventLoop: self.eventLoop) {
            let slab = pool.takeAnyway()
            defer { pool.giveBack(slab) }
            var valid = ChunkBitmap(count: claimed.count)
            for run in claimed.ranges {
                for start in stride(from: run.lowerBound, to: run.upperBound, by: perRead) {
                    let piece = start..<min(start + perRead, run.upperBound)
                    let first = hashes.startIndex + piece.lowerBound - chunks.lowerBound
                    for chunk in try slab.proveStored(piece, hashes: hashes[first..<first + piece.count], in: part, layout: layout) {
                        valid.insert(chunk)
                    }
                }
            }
            return valid
        }.whenComplete { result in
            switch result {
            case .success(let valid):
                for run in valid.ranges { self.resumedByteCount += Self.byteCount(of: run, layout) }
                self.update { machine, now in machine.storedChecked(chunks, valid: valid, now: now) }
            case .failure(let error):
                self.finish(error)
            }
        }
    }

    private static func byteCount(of chunks: Range<Int>, _ layout: ChunkLayout) -> UInt64 {
        let unit = UInt64(layout.chunkByteCount)
        return min(UInt64(chunks.upperBound) * unit, layout.fileSize) - min(UInt64(chunks.lowerBound) * unit, layout.fileSize)
    }

    private func noteVerified(_ chunks: Range<Int>, machine: DownloadStateMachine) {
        guard let layout = machine.layout else { return }
        let byteCount = Self.byteCount(of: chunks, layout)
        self.verified.insert(chunks)
        self.verifiedByteCount += byteCount
        self.uncheckpointedByteCount += byteCount
        self.meter.record(Int(byteCount), now: .now)
        self.availability?.insert(chunks)
        if !self.isLayerPublished, machine.isChunkLayerKnown, let layer = machine.chunkLayer {
            self.isLayerPublished = true
            if let tree = try? TreeLayer(fileSize: layout.fileSize, layer: layout.treeLayer, rawBytes: layer.flatMap(\.bytes)) { self.hashSource.set(tree) }
        }
        if self.uncheckpointedByteCount >= self.options.checkpointByteCount { self.requestCheckpoint() }
        self.wakeReaders()
    }

    // MARK: - Checkpoints

    private func requestCheckpoint() {
        self.uncheckpointedByteCount = 0
        self.lastCheckpoint = .now
        self.checkpointContinuation.yield()
    }

    private func saveCheckpoints() async {
        for await _ in self.checkpoints {
            do {
                try await self.saveCheckpoint()
            } catch let error as TransferError where error.code == .diskFull || error.code == .diskFailure {
                self.eventLoop.execute { self.finish(error) }
            } catch {
                self.logger.warning("the state of a transfer could not be saved", metadata: ["dig.transfer.error": "\(error)"])
            }
        }
    }

    /// First the bytes reach the disk, then the record that they have.
    private func saveCheckpoint() async throws {
        guard let (part, transfer) = try await self.eventLoop.submit({ self.snapshot() }).get() else { return }
        try await self.threadPool.runIfActive { try part.sync() }
        try await self.store.save(transfer)
        if transfer.chunkHashes != nil { self.eventLoop.execute { self.areHashesSaved = true } }
    }

    private func snapshot() -> (PartFile, SavedTransfer)? {
        guard let part = self.part, let machine = self.machine, let descriptor = machine.descriptor, let layout = machine.layout else { return nil }
        var hashes: [UInt8]?
        if !self.areHashesSaved, let layer = machine.chunkLayer {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(layer.count * SHA256Digest.byteCount)
            for digest in layer { digest.withUnsafeBytes { bytes.append(contentsOf: $0) } }
            hashes = bytes
        }
        return (
            part,
            SavedTransfer(
                descriptor: descriptor, chunkLayer: layout.layer, destination: self.destination.path, verified: self.verified, chunkHashes: hashes)
        )
    }

    // MARK: - The end

    /// After a failure: what is verified is remembered, and the file is unlocked. A cancelled task does this too, so it has a task of its own.
    private func keep() async {
        await Task {
            let hasPart = (try? await self.eventLoop.submit { self.part != nil && self.verifiedByteCount > 0 }.get()) ?? false
            if hasPart {
                do {
                    try await self.saveCheckpoint()
                } catch {
                    self.logger.warning("the state of a transfer could not be saved", metadata: ["dig.transfer.error": "\(error)"])
                }
            }
            await self.closePart(discards: !self.options.keepsFile || !hasPart)
        }.value
    }

    private func closePart(discards: Bool) async {
        let closed = self.eventLoop.flatSubmit { () -> EventLoopFuture<Void> in
            guard let part = self.part else { return self.eventLoop.makeSucceededVoidFuture() }
            if discards { part.discard() }
            let promise = self.eventLoop.makePromise(of: Void.self)
            part.close(promise: promise)
            return promise.futureResult
        }
        try? await closed.get()
    }

    private func complete(start: ContinuousClock.Instant) async throws -> DownloadResult {
        let (descriptor, part, present) = try await self.eventLoop.submit { () throws -> (DIGContent.FileDescriptor, PartFile?, String?) in
            guard let descriptor = self.machine?.descriptor else { throw TransferError(.diskFailure, "the download ended without a file") }
            return (descriptor, self.part, self.publishedPath)
        }.get()
        var sha256: SHA256Digest?
        var path = present ?? self.destination.path
        do {
            if let wanted = self.options.sha256 {
                let actual = try await PlainSHA256.hash(fileAt: part.map { $0.directory.path(of: $0.partName) } ?? path)
                guard actual == wanted else {
                    throw TransferError(
                        .bindingMismatch,
                        "the file is \(self.contentHash) as asked for, but its SHA-256 is \(actual), not \(wanted): \(self.options.sha256Source ?? "whoever bound the two") is wrong")
                }
                sha256 = actual
            }
            if let part {
                if self.options.keepsFile {
                    let name = try await self.threadPool.runIfActive {
                        try part.publish(as: self.destination.name, policy: self.destination.existingFile, isDurable: self.options.isDurable)
                    }
                    path = part.directory.path(of: name)
                } else {
                    part.discard()
                }
            }
        } catch let error as TransferError where error.code == .bindingMismatch {
            await self.closePart(discards: true)
            await self.forgetState()
            throw error
        } catch {
            await self.keep()
            throw error
        }
        await self.forgetState()
        let publishedPath = path
        let finalSHA256 = sha256
        return try await self.eventLoop.submit {
            self.publishedPath = publishedPath
            self.emitProgress(isFinal: true)
            return DownloadResult(
                descriptor: descriptor, path: publishedPath, peers: self.machine?.statistics(now: .now) ?? [], resumedByteCount: self.resumedByteCount,
                wasPresent: self.isPresent, sha256: finalSHA256, duration: .now - start, failures: self.machine?.failures ?? [])
        }.get()
    }

    private func forgetState() async {
        do {
            try await self.store.remove(self.contentHash, destination: self.destination.path)
        } catch {
            self.logger.warning("the state of a finished transfer could not be removed", metadata: ["dig.transfer.error": "\(error)"])
        }
    }

    // MARK: - Progress

    private func tick() {
        if self.uncheckpointedByteCount > 0, .now - self.lastCheckpoint >= self.options.checkpointInterval { self.requestCheckpoint() }
        self.emitProgress(isFinal: false)
    }

    private func emitProgress(isFinal: Bool) {
        let now = ContinuousClock.now
        let total = self.machine?.descriptor?.size
        let rate = self.meter.rate(now: now)
        // 1 is kept for the moment at which the file has its name.
        let fraction = isFinal ? 1 : min(0.999_999, total.map { $0 == 0 ? 0 : Double(self.verifiedByteCount) / Double($0) } ?? 0)
        var remaining: Duration?
        if let total, rate > 0, total >= self.verifiedByteCount { remaining = .seconds(min(Double(total - self.verifiedByteCount) / rate, 1e9)) }
        self.progressContinuation.yield(
            TransferProgress(
                verifiedByteCount: self.verifiedByteCount, totalByteCount: total, fraction: fraction, bytesPerSecond: rate,
                estimatedRemaining: isFinal ? .zero : remaining, finishedFileCount: isFinal ? 1 : 0, fileCount: 1,
                peers: self.machine?.statistics(now: now) ?? []))
    }

    /// The chunks proven and on disk so far, in the layout that the download uses; none before the content is described.
    public var verifiedChunks: ChunkBitmap {
        get async {
            await withCheckedContinuation { continuation in
                self.eventLoop.execute { continuation.resume(returning: self.verified) }
            }
        }
    }

    /// For tests.
    var diskWriteCount: Int {
        get async throws { try await self.eventLoop.submit { self.part?.writeCount ?? 0 }.get() }
    }

    /// For the progress of a folder, which lives on the same loop.
    func progressOnLoop(now: ContinuousClock.Instant) -> (verifiedByteCount: UInt64, peers: [PeerStatistics]) {
        (self.verifiedByteCount, self.machine?.statistics(now: now) ?? [])
    }

    // MARK: - Serving others

    /// What can be served to others already, for a ``ContentProvider``. Nil before the file is open and after it failed.
    public func hostedContent() async -> HostedContent? {
        try? await self.eventLoop.submit { () -> HostedContent? in
            guard let machine = self.machine, let descriptor = machine.descriptor, let layout = machine.layout, let part = self.part,
                let availability = self.availability
            else { return nil }
            if case .ended(.some) = self.phase { return nil }
            return .file(
                HostedFile(
                    descriptor: descriptor, chunkLayer: layout.layer, path: self.publishedPath ?? part.directory.path(of: part.partName), stamp: nil,
                    name: self.destination.name, hashes: self.hashSource, availability: availability))
        }.get()
    }

    // MARK: - Readers

    /// The bytes of the file in order, each as soon as it is proven, while the download runs or after it.
    ///
    /// The chunks that the reader waits for are asked for first. At most 256 KiB are in memory for a reader.
    ///
    /// - Parameter range: Cut to the file. Nil: the whole file.
    public func bytes(in range: Range<UInt64>? = nil) -> VerifiedBytes { VerifiedBytes(download: self, range: range) }

    struct ReaderState {
        /// The chunks that the reader is at, the most urgent first.
        var position: UInt64
        var end: UInt64?
        var waiter: EventLoopPromise<VerifiedPiece?>?
    }

    func addReader(_ range: Range<UInt64>?) -> EventLoopFuture<UInt64> {
        self.eventLoop.submit {
            self.nextReader += 1
            // Behind the largest file is as good as anywhere, and leaves room to reckon.
            let position = min(range?.lowerBound ?? 0, DIGContent.FileDescriptor.maximumSize)
            self.readers[self.nextReader] = ReaderState(position: position, end: range?.upperBound)
            self.prioritiesChanged()
            return self.nextReader
        }
    }

    func removeReader(_ id: UInt64) {
        self.eventLoop.execute {
            guard let reader = self.readers.removeValue(forKey: id) else { return }
            reader.waiter?.fail(CancellationError())
            self.prioritiesChanged()
        }
    }

    /// What can be read at the reader's position; nil at the end. The position moves behind it.
    func nextPiece(_ id: UInt64) -> EventLoopFuture<VerifiedPiece?> {
        self.eventLoop.flatSubmit {
            guard self.readers[id] != nil else { return self.eventLoop.makeFailedFuture(CancellationError()) }
            let promise = self.eventLoop.makePromise(of: VerifiedPiece?.self)
            self.readers[id]?.waiter = promise
            self.serveReader(id)
            return promise.futureResult
        }
    }

    private func serveReader(_ id: UInt64) {
        guard let reader = self.readers[id], let waiter = reader.waiter else { return }
        func answer(_ piece: VerifiedPiece?) {
            self.readers[id]?.waiter = nil
            waiter.succeed(piece)
        }
        if case .ended(.some(let error)) = self.phase {
            self.readers[id]?.waiter = nil
            return waiter.fail(error)
        }
        guard let layout = self.layout else { return }
        let end = min(reader.end ?? layout.fileSize, layout.fileSize)
        guard reader.position < end else {
            // An empty file is not whole before somebody said so.
            if self.part != nil || self.isPresent { answer(nil) }
            return
        }
        let available: UInt64
        if self.isPresent {
            available = end
        } else {
            let chunk = Int(reader.position / UInt64(layout.chunkByteCount))
            guard self.part != nil, self.verified.contains(chunk) else { return }
            let firstMissing = self.verified.firstMissing(from: chunk) ?? layout.chunkCount
            available = min(end, UInt64(firstMissing) * UInt64(layout.chunkByteCount))
        }
        let pieceEnd = min(available, reader.position + UInt64(VerifiedPiece.maximumByteCount))
        self.readers[id]?.position = pieceEnd
        if reader.position / UInt64(layout.chunkByteCount) != pieceEnd / UInt64(layout.chunkByteCount) { self.prioritiesChanged() }
        let source: VerifiedPiece.Source
        if let part = self.part { source = .part(part) } else { source = .path(self.publishedPath ?? self.destination.path) }
        answer(VerifiedPiece(source: source, range: reader.position..<pieceEnd))
    }

    private func wakeReaders() {
        guard !self.readers.isEmpty else { return }
        for id in self.readers.keys where self.readers[id]?.waiter != nil { self.serveReader(id) }
    }

    private func prioritiesChanged() {
        guard case .running = self.phase, self.part != nil else { return }
        let readers = self.readers
        guard !readers.isEmpty || self.hasPriorities else { return }
        self.hasPriorities = !readers.isEmpty
        let readAhead = UInt64(max(0, self.options.readAheadByteCount))
        self.update { machine, now in
            guard let layout = machine.layout else { return }
            let unit = UInt64(layout.chunkByteCount)
            let ranges = readers.sorted { $0.key < $1.key }.compactMap { _, reader -> Range<Int>? in
                let end = min(reader.end ?? layout.fileSize, layout.fileSize, reader.position + readAhead + unit)
                guard reader.position < end else { return nil }
                return Int(reader.position / unit)..<Int((end + unit - 1) / unit)
            }
            machine.setPriorities(ranges, now: now)
        }
    }

}

extension TransferError {
    /// Whether the whole stream is worthless, and not only what concerned this content.
    var endsSession: Bool { [.contentMismatch, .corruptChunk, .corruptHashes, .protocolViolation].contains(self.code) }
}
