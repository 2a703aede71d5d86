public import DIGContent
import DIGIdentity
public import DIGNet
public import Logging
public import NIOCore
public import NIOPosix

/// Fetches a folder: its listing, then its files, several at a time over the same streams.
///
/// Each file is proven, kept and resumed as in ``FileDownload``; files that are there already are not fetched again.
///
/// `@unchecked Sendable`: every `var` is used on `eventLoop` only.
public final class FolderDownload: @unchecked Sendable {
    /// Files fetched at once. Small files wait mostly for round trips, so many are under way.
    static let fileConcurrency = 64

    /// The hash of the listing.
    public let contentHash: ContentHash
    /// For each of the files.
    public let options: DownloadOptions
    /// The last value waits for whoever is slow; values before it are dropped. Ends with the download.
    public let progress: AsyncStream<TransferProgress>

    private let destination: DownloadDestination
    private let store: any TransferStore
    private let limiter: RateLimiter?
    private let eventLoop: any EventLoop
    private let threadPool: NIOThreadPool
    private let logger: Logger
    private let pool: ChunkSlabPool
    private let progressContinuation: AsyncStream<TransferProgress>.Continuation
    private let sessionStream: AsyncStream<PeerSession>
    private let sessionContinuation: AsyncStream<PeerSession>.Continuation

    private var isEnded = false
    private var opening: [ConnectionID: Task<Void, Never>] = [:]
    private var sessions: [ConnectionID: PeerSession] = [:]
    private var active: [Int: FileDownload] = [:]
    private var failures: [PeerFailure] = []
    private var totals: [PeerID: PeerStatistics] = [:]
    private var finishedByteCount: UInt64 = 0
    private var finishedFileCount = 0
    private var presentFileCount = 0
    private var listing: FolderListing?
    private var listingTimer: Scheduled<Void>?
    private var meter = RateMeter(now: .now)
    private var lastByteCount: UInt64 = 0

    /// - Parameters:
    ///   - destination: Its name is the folder's; the files go below it.
    ///   - options: ``DownloadOptions/sha256`` is not used.
    public init(
        _ contentHash: ContentHash, to destination: DownloadDestination, options: DownloadOptions = DownloadOptions(), store: any TransferStore,
        limiter: RateLimiter? = nil, eventLoop: any EventLoop, threadPool: NIOThreadPool, logger: Logger
    ) {
        self.contentHash = contentHash
        self.destination = destination
        self.options = options
        self.store = store
        self.limiter = limiter
        self.eventLoop = eventLoop
        self.threadPool = threadPool
        self.logger = logger
        self.pool = ChunkSlabPool(byteCount: options.bufferByteCount)
        (self.progress, self.progressContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (self.sessionStream, self.sessionContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1024))
    }

    deinit {
        self.progressContinuation.finish()
        self.sessionContinuation.finish()
    }

    // MARK: - Peers

    /// Fetches from this peer too.
    public func add(_ connection: any Connection) {
        self.eventLoop.execute {
            let id = connection.id
            guard !self.isEnded, self.opening[id] == nil, self.sessions[id] == nil else { return }
            self.opening[id] = Task {
                let result: Result<PeerSession, any Error>
                do {
                    result = .success(
                        try await PeerSession.open(on: connection, pool: self.pool, limiter: self.limiter, threadPool: self.threadPool, logger: self.logger,
                        authenticator: self.options.authenticator))
                } catch {
                    result = .failure(error)
                }
                self.eventLoop.execute { self.opened(id, connection.remotePeer, result) }
            }
        }
    }

    /// Asks nothing more of this connection. What it gave stays.
    public func remove(_ connection: any Connection) {
        let id = connection.id
        self.eventLoop.execute {
            self.opening.removeValue(forKey: id)?.cancel()
            if let session = self.sessions.removeValue(forKey: id) { session.eventLoop.execute { session.close() } }
        }
    }

    private func opened(_ id: ConnectionID, _ peer: PeerID, _ result: Result<PeerSession, any Error>) {
        let wasWanted = self.opening.removeValue(forKey: id) != nil
        switch result {
        case .success(let session):
            guard wasWanted, !self.isEnded else { return session.eventLoop.execute { session.close() } }
            self.sessions[id] = session
            self.sessionContinuation.yield(session)
            for download in self.active.values { download.add(session) }
        case .failure(let error):
            if wasWanted { self.note(peer, TransferError(.disconnected, "no transfer stream to the peer", cause: error)) }
        }
    }

    private func note(_ peer: PeerID, _ error: TransferError) {
        if self.failures.count == DownloadStateMachine.maximumFailureCount { self.failures.removeFirst() }
        self.failures.append(PeerFailure(peer: peer, error: error))
    }

    // MARK: - Running

    /// Fetches the listing and every file. The first file that cannot be fetched ends it; what is whole or verified is kept.
    ///
    /// - Throws: ``TransferError``, whose message names the file; `.isFile` if the content is none. `CancellationError`.
    public func run() async throws -> FolderResult {
        let start = ContinuousClock.now
        do {
            let listing = try await self.fetchListing()
            let interval = self.options.progressTimerInterval
            let timer = try await self.eventLoop.submit {
                self.listing = listing
                return NIOLoopBound(
                    self.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in self.emitProgress(isFinal: false) },
                    eventLoop: self.eventLoop)
            }.get()
            let result: Result<Void, any Error>
            do {
                try await self.fetchFiles(listing)
                result = .success(())
            } catch {
                result = .failure(error)
            }
            self.eventLoop.execute { timer.value.cancel() }
            try result.get()
            try await self.end()
            return try await self.eventLoop.submit {
                self.emitProgress(isFinal: true)
                self.progressContinuation.finish()
                return FolderResult(
                    listing: listing, path: self.destination.path, presentFileCount: self.presentFileCount, peers: Array(self.totals.values),
                    duration: .now - start, failures: self.failures)
            }.get()
        } catch {
            try? await self.end()
            self.progressContinuation.finish()
            throw error
        }
    }

    private func end() async throws {
        try await self.eventLoop.submit {
            self.isEnded = true
            self.sessionContinuation.finish()
            for task in self.opening.values { task.cancel() }
            self.opening = [:]
            let sessions = self.sessions.values
            self.sessions = [:]
            for session in sessions { session.eventLoop.execute { session.close() } }
        }.get()
    }

    /// One peer after the other, until one has a listing that hashes to what was asked for.
    private func fetchListing() async throws -> FolderListing {
        let timeout = self.options.scheduling.holderTimeout
        self.eventLoop.execute { self.awaitSessions(timeout) }
        defer { self.eventLoop.execute { self.listingTimer?.cancel() } }
        for await session in self.sessionStream {
            do {
                let bytes = try await ListingFetch.fetch(self.contentHash, from: session, timeout: self.options.scheduling.requestTimeout).get()
                return try self.decode(bytes)
            } catch let error as TransferError where [.isFile, .malformedListing, .unsafePath].contains(error.code) {
                throw error
            } catch {
                let failure = error as? TransferError ?? TransferError(.disconnected, "the listing could not be fetched", cause: error)
                self.eventLoop.execute { self.note(session.peer, failure) }
            }
        }
        try Task.checkCancellation()
        let failures = try await self.eventLoop.submit { self.failures }.get()
        throw TransferError(
            .noHolders, "nobody who is connected has the folder's listing, after waiting \(Int(timeout.seconds)) s. Start a holder and try again", peers: failures)
    }

    /// No peer is waited for any more after `timeout`, but for those to which a stream is being opened.
    private func awaitSessions(_ timeout: Duration) {
        self.listingTimer = self.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            if self.opening.isEmpty { self.sessionContinuation.finish() } else { self.awaitSessions(timeout) }
        }
    }

    private func decode(_ bytes: [UInt8]) throws(TransferError) -> FolderListing {
        do {
            return try FolderListing(decoding: bytes, expecting: self.contentHash)
        } catch where error.code == .proofMismatch {
            throw TransferError(.contentMismatch, "the peer's listing is not \(self.contentHash)", cause: error)
        } catch where error.code == .unsafePath {
            throw TransferError(.unsafePath, "a path in the folder would leave the download directory: whoever made the folder is to blame", cause: error)
        } catch {
            throw TransferError(.malformedListing, "what was asked for is not a folder's listing", cause: error)
        }
    }

    private func fetchFiles(_ listing: FolderListing) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var next = 0
            while next < min(Self.fileConcurrency, listing.entries.count) {
                let index = next
                group.addTask { try await self.fetch(listing.entries[index], index: index) }
                next += 1
            }
            while try await group.next() != nil {
                guard next < listing.entries.count else { continue }
                let index = next
                group.addTask { try await self.fetch(listing.entries[index], index: index) }
                next += 1
            }
        }
    }

    private func fetch(_ entry: FolderListing.Entry, index: Int) async throws {
        let descriptor = entry.descriptor
        var options = self.options
        options.sha256 = nil
        // A sync for each small file costs more than fetching it again.
        options.isDurable = options.isDurable && descriptor.size >= 1 << 20
        options.scheduling.maximumWindowChunkCount = TransferLimits.maximumOutstandingChunkCount / Self.fileConcurrency
        let destination = try DownloadDestination(
            directory: self.destination.directory, components: self.destination.components + entry.path.components,
            existingFile: self.destination.existingFile)
        let isSmall = descriptor.size <= UInt64(ChunkSlab.byteCount)
        let download = FileDownload(
            descriptor.contentHash, descriptor: descriptor, to: destination, options: options, store: isSmall ? ForgetfulTransferStore() : self.store,
            limiter: nil, eventLoop: self.eventLoop, threadPool: self.threadPool, pool: self.pool, logger: self.logger)
        try await self.eventLoop.submit {
            self.active[index] = download
            for session in self.sessions.values { download.add(session) }
        }.get()
        do {
            let result = try await download.run()
            try await self.eventLoop.submit { self.finished(index, result) }.get()
        } catch {
            try? await self.eventLoop.submit { self.active[index] = nil }.get()
            guard let failure = error as? TransferError else { throw error }
            throw TransferError(failure.code, "\(entry.path.displayText): \(failure.message)", cause: failure.cause, peers: failure.peers)
        }
    }

    private func finished(_ index: Int, _ result: DownloadResult) {
        self.active[index] = nil
        self.finishedByteCount += result.descriptor.size
        self.finishedFileCount += 1
        if result.wasPresent { self.presentFileCount += 1 }
        for peer in result.peers {
            var total = peer
            total.verifiedByteCount += self.totals[peer.peer]?.verifiedByteCount ?? 0
            self.totals[peer.peer] = total
        }
        for failure in result.failures where !self.failures.contains(where: { $0.peer == failure.peer }) { self.note(failure.peer, failure.error) }
    }

    // MARK: - Progress

    private func emitProgress(isFinal: Bool) {
        guard let listing = self.listing else { return }
        let now = ContinuousClock.now
        let total = listing.totalByteCount
        var verified = self.finishedByteCount
        var peers = self.totals
        for download in self.active.values {
            let (byteCount, statistics) = download.progressOnLoop(now: now)
            verified += byteCount
            for peer in statistics {
                var sum = peer
                sum.verifiedByteCount += peers[peer.peer]?.verifiedByteCount ?? 0
                sum.rate += peers[peer.peer]?.rate ?? 0
                peers[peer.peer] = sum
            }
        }
        self.meter.record(Int(verified - min(verified, self.lastByteCount)), now: now)
        self.lastByteCount = verified
        let rate = self.meter.rate(now: now)
        self.progressContinuation.yield(
            TransferProgress(
                verifiedByteCount: verified, totalByteCount: total, bytesPerSecond: rate, isFinished: isFinal, finishedFileCount: self.finishedFileCount,
                fileCount: listing.entries.count, peers: Array(peers.values)))
    }
}
