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
    enum Phase {
        case idle
        case running(EventLoopPromise<Void>)
        case ended((any Error)?)
    }

    /// What every byte must lead to.
    public let contentHash: ContentHash
    /// Where the file goes.
    public let destination: DownloadDestination
    /// As given to the initializer.
    public let options: DownloadOptions
    /// The last value waits for whoever is slow; values before it are dropped. Ends with the download.
    public let progress: AsyncStream<TransferProgress>

    let eventLoop: any EventLoop
    let threadPool: NIOThreadPool
    let descriptorHint: DIGContent.FileDescriptor?
    let store: any TransferStore
    let limiter: RateLimiter?
    let logger: Logger
    let pool: ChunkSlabPool
    let progressContinuation: AsyncStream<TransferProgress>.Continuation
    let checkpoints: AsyncStream<Void>
    let checkpointContinuation: AsyncStream<Void>.Continuation
    let hashSource = DownloadHashSource()

    var phase = Phase.idle
    var isCancelled = false
    var machine: DownloadStateMachine?
    var isUpdating = false
    var deferred: [(inout DownloadStateMachine, ContinuousClock.Instant) -> Void] = []
    var links = DownloadLinks()
    var timer = DeadlineTimer()
    var progressTimer: RepeatedTask?
    var prepareTask: Task<Void, Never>?
    var part: PartFile?
    /// What an earlier run left.
    var saved: SavedTransfer?
    var areHashesSaved = false
    var isLayerPublished = false
    var ledger: DownloadLedger
    var availability: PartialAvailability?
    var isPresent = false
    var publishedPath: String?
    var readers = ReaderPositions()
    /// Readers that wait for their next piece.
    var waiters: [UInt64: EventLoopPromise<VerifiedPiece?>] = [:]
    var hasPriorities = false

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
        self.ledger = DownloadLedger(checkpointByteCount: options.checkpointByteCount, checkpointInterval: options.checkpointInterval, now: .now)
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
            let (links, wasOpening) = self.links.remove(id)
            if wasOpening { self.openingChanged() }
            for (key, attachment) in links {
                attachment.detach(closesSession: false)
                self.update { machine, now in machine.peerRemoved(key, error: nil, now: now) }
            }
        }
    }

    /// Shares a session with other downloads.
    func add(_ session: PeerSession) {
        self.eventLoop.execute {
            switch self.phase {
            case .idle: self.links.wait(session)
            case .running: self.link(session, connection: nil, ownsSession: false, key: self.links.makeKey())
            case .ended: break
            }
        }
    }

    func addOnLoop(_ connection: any Connection) {
        switch self.phase {
        case .ended: return
        case .idle: return self.links.wait(connection)
        case .running: break
        }
        let id = connection.id
        guard !self.links.contains(id) else { return }
        let key = self.links.makeKey()
        let task = Task {
            let result: Result<PeerSession, any Error>
            do {
                result = .success(
                    try await PeerSession.open(on: connection, pool: self.pool, limiter: self.limiter, threadPool: self.threadPool, logger: self.logger,
                        authenticator: self.options.authenticator))
            } catch {
                result = .failure(error)
            }
            self.eventLoop.execute { self.opened(key, id, connection.remotePeer, result) }
        }
        self.links.beganOpening(key, id, task: task)
        self.openingChanged()
    }

    func openingChanged() {
        let count = self.links.openingCount
        self.update { machine, now in machine.connecting(count, now: now) }
    }

    func opened(_ key: PeerKey, _ id: ConnectionID, _ peer: PeerID, _ result: Result<PeerSession, any Error>) {
        let wasWanted = self.links.endedOpening(key)
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

    func link(_ session: PeerSession, connection: ConnectionID?, ownsSession: Bool, key: PeerKey) {
        let attachment = SessionAttachment(session: session, ownsSession: ownsSession, eventLoop: self.eventLoop) { [weak self] event in
            self?.received(event, from: key)
        }
        self.links.insert(attachment, connection: connection, key: key)
        self.update { machine, now in
            if !machine.peerAdded(key, peer: session.peer, now: now) { self.links.remove(key)?.detach(closesSession: false) }
        }
    }

    func received(_ event: SessionEvent, from key: PeerKey) {
        // The file takes what is right even if its sender was let go meanwhile.
        if case .checked = event {} else if self.links[key] == nil { return }
        switch event {
        case .ended, .violated: _ = self.links.remove(key)
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

    func runUncancelled(start: ContinuousClock.Instant) async throws -> DownloadResult {
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
    func savedTransfer(chunkLayer: Int?) async throws(TransferError) -> SavedTransfer? {
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

    func begin(_ saved: SavedTransfer?, chunkLayer: Int?) throws -> EventLoopFuture<Void> {
        guard case .idle = self.phase else { throw TransferError(.inUse, "a download runs once: make another") }
        guard !self.isCancelled else {
            self.phase = .ended(CancellationError())
            throw CancellationError()
        }
        let promise = self.eventLoop.makePromise(of: Void.self)
        self.phase = .running(promise)
        let now = ContinuousClock.now
        self.ledger = DownloadLedger(
            checkpointByteCount: self.options.checkpointByteCount, checkpointInterval: self.options.checkpointInterval, now: now)
        // What is stored may be damaged.
        let saved = saved.flatMap { $0.descriptor.contentHash == self.contentHash ? $0 : nil }
        self.saved = saved
        self.areHashesSaved = saved?.chunkHashes != nil && chunkLayer == nil
        self.machine = DownloadStateMachine(
            contentHash: self.contentHash, descriptor: saved?.descriptor ?? self.descriptorHint, chunkLayer: chunkLayer, savedChunkLayer: saved?.chunkLayer,
            configuration: self.options.scheduling, now: now)
        let interval = self.options.progressTimerInterval
        self.progressTimer = self.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in self.tick() }
        self.update { _, _ in }
        let (connections, sessions) = self.links.start()
        for connection in connections { self.addOnLoop(connection) }
        for session in sessions { self.link(session, connection: nil, ownsSession: false, key: self.links.makeKey()) }
        return promise.futureResult
    }

    /// Ends the run. Later calls do nothing.
    func finish(_ error: (any Error)?) {
        guard case .running(let promise) = self.phase else { return }
        self.phase = .ended(error)
        self.timer.cancel()
        self.progressTimer?.cancel()
        self.prepareTask?.cancel()
        for attachment in self.links.removeAll() { attachment.detach(closesSession: false) }
        self.wakeReaders()
        if let error { promise.fail(error) } else { promise.succeed() }
    }

    /// Feeds the machine and does what it says. Calls from within are done afterwards.
    func update(_ body: @escaping (inout DownloadStateMachine, ContinuousClock.Instant) -> Void) {
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
        for (key, commands) in commands { self.links[key]?.perform(commands) }
        self.schedule(deadline)
        if !self.deferred.isEmpty {
            let next = self.deferred.removeFirst()
            self.update(next)
        }
    }

    /// After the end only what was proven still counts: jobs that were running when the download was stopped.
    func updateAfterEnd(_ body: (inout DownloadStateMachine, ContinuousClock.Instant) -> Void) {
        guard case .ended = self.phase, var machine = self.machine else { return }
        self.machine = nil
        body(&machine, .now)
        while let action = machine.nextAction() {
            if case .reportVerified(let chunks) = action { self.noteVerified(chunks, machine: machine) }
        }
        self.machine = machine
    }

    func perform(_ action: DownloadStateMachine.Action, machine: inout DownloadStateMachine, commands: inout [PeerKey: [SessionCommand]]) {
        switch action {
        case .describe(let key, let chunkLayer, let subscribes):
            guard let attachment = self.links[key] else { return }
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
            self.links.remove(key)?.detach(closesSession: error.endsSession)
        case .finish:
            self.finish(nil)
        case .fail(let error):
            self.finish(error)
        }
    }

    func schedule(_ deadline: ContinuousClock.Instant?) {
        guard case .running = self.phase else { return }
        self.timer.set(deadline, on: self.eventLoop, now: .now) {
            self.timer.fire()
            self.update { machine, now in machine.deadlineReached(now: now) }
        }
    }

    // MARK: - Progress

    func tick() {
        if self.ledger.isCheckpointDue(now: .now) { self.requestCheckpoint() }
        self.emitProgress(isFinal: false)
    }

    func emitProgress(isFinal: Bool) {
        let now = ContinuousClock.now
        self.progressContinuation.yield(
            TransferProgress(
                verifiedByteCount: self.ledger.verifiedByteCount, totalByteCount: self.machine?.descriptor?.size, bytesPerSecond: self.ledger.rate(now: now),
                isFinished: isFinal, finishedFileCount: isFinal ? 1 : 0, fileCount: 1, peers: self.machine?.statistics(now: now) ?? []))
    }

    /// The chunks proven and on disk so far, in the layout that the download uses; none before the content is described.
    public var verifiedChunks: ChunkBitmap {
        get async {
            await withCheckedContinuation { continuation in
                self.eventLoop.execute { continuation.resume(returning: self.ledger.verified) }
            }
        }
    }

    /// For tests.
    var diskWriteCount: Int {
        get async throws { try await self.eventLoop.submit { self.part?.writeCount ?? 0 }.get() }
    }

    /// For the progress of a folder, which lives on the same loop.
    func progressOnLoop(now: ContinuousClock.Instant) -> (verifiedByteCount: UInt64, peers: [PeerStatistics]) {
        (self.ledger.verifiedByteCount, self.machine?.statistics(now: now) ?? [])
    }

    // MARK: - Serving others

    /// What can be served to others already, for a ``ContentProvider``. Nil before the file is open and after it failed.
    public func hostedContent() async -> HostedContent? {
        try? await self.eventLoop.submit { () -> HostedContent? in
            guard let machine = self.machine, let descriptor = machine.descriptor, let layout = machine.layout, let part = self.part,
                let availability = self.availability
            else { return nil }
            if case .ended(.some) = self.phase { return nil }
            var file = HostedFile(
                descriptor: descriptor, chunkLayer: layout.layer, path: self.publishedPath ?? part.directory.path(of: part.partName), stamp: nil,
                name: self.destination.name, hashes: self.hashSource, availability: availability)
            file.destination = HostedFileDestination(path: self.destination.path, inode: part.inode)
            return .file(file)
        }.get()
    }
}

extension TransferError {
    /// Whether the whole stream is worthless, and not only what concerned this content.
    var endsSession: Bool { [.contentMismatch, .corruptChunk, .corruptHashes, .protocolViolation].contains(self.code) }
}
