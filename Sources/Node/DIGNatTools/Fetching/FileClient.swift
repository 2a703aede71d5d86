public import DIGContent
public import DIGIdentity
public import DIGMultiformats
import DIGAnnouncement
import DIGNet
import DIGStorage
public import DIGTransfer
public import Logging
import NIOCore
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Fetches files and folders.
///
///     let client = FileClient(network: network)
///     let fetch = client.fetch(try ContentReference(parsing: "dig:bciq…"), to: .directory("downloads"))
///     for await case .progress(let progress) in fetch.events { print(progress.fraction) }
///     print(try await fetch.result().path)
///
/// A client can also bring a network of its own:
///
///     let client = try FileClient(configuration: FileClientConfiguration(downloadDirectory: "downloads"), logger: logger)
///     try await client.start()
///     let result = try await client.downloadByContentID("holiday") { print($0.fraction) }
public final class FileClient: Sendable {
    /// What it reaches peers by.
    public let network: NetworkManager
    private let store: SharedContentStore
    private let transfers: SQLiteTransferStore
    /// Nil: the network is somebody else's to start and stop.
    private let configuration: FileClientConfiguration?

    /// - Parameter network: Whoever made it starts and stops it.
    public convenience init(network: NetworkManager) {
        self.init(network: network, configuration: nil)
    }

    /// A client with a network of its own.
    ///
    /// - Throws: As ``NetworkManager/init(configuration:transports:group:logger:)``.
    public convenience init(configuration: FileClientConfiguration, logger: Logger = .silent) throws {
        self.init(network: try NetworkManager(configuration: configuration.node, logger: logger), configuration: configuration)
    }

    private init(network: NetworkManager, configuration: FileClientConfiguration?) {
        self.network = network
        self.configuration = configuration
        self.store = network.shared
        self.transfers = SQLiteTransferStore(database: network.database)
    }

    // MARK: Life cycle

    /// Starts the network if it is the client's own, and makes the download directory.
    ///
    /// - Throws: As ``NetworkManager/start()``.
    public func start() async throws {
        guard let configuration = self.configuration else { return }
        try FileManager.default.createDirectory(atPath: configuration.downloadDirectory, withIntermediateDirectories: true)
        try await self.network.start()
    }

    /// Stops the network if it is the client's own. Fetches under way fail; what they verified is kept.
    public func stop() async {
        if self.configuration != nil { await self.network.stop() }
    }

    // MARK: Downloading in one call

    /// Fetches a content hash, a link or a plain SHA-256 to exactly `path`.
    ///
    /// - Parameters:
    ///   - hash: As a person would write it, see `ContentReference`.
    ///   - onProgress: The fraction and much more; called about five times a second and once at the end.
    /// - Throws: As ``Fetch/result()``; `ContentError` if `hash` is none.
    @discardableResult
    public func downloadFile(
        _ hash: String, to path: String, options: FetchOptions = FetchOptions(), onProgress: (@Sendable (TransferProgress) -> Void)? = nil
    ) async throws -> FetchResult {
        try await self.download(try ContentReference(parsing: hash), to: .path(path), options: options, onProgress: onProgress)
    }

    /// As ``downloadFile(_:to:options:onProgress:)``, asking these peers first. Each address ends with the peer's id.
    @discardableResult
    public func downloadFile(
        fromPeers peers: [Multiaddr], _ hash: String, to path: String, options: FetchOptions = FetchOptions(),
        onProgress: (@Sendable (TransferProgress) -> Void)? = nil
    ) async throws -> FetchResult {
        var options = options
        options.peers += peers
        return try await self.downloadFile(hash, to: path, options: options, onProgress: onProgress)
    }

    /// Fetches what goes by a name into the download directory, or the working directory for a client on somebody else's network.
    ///
    /// - Throws: As ``Fetch/result()``; ``NodeError`` with `.ambiguousName` if signers disagree about the name.
    @discardableResult
    public func downloadByContentID(
        _ contentID: String, options: FetchOptions = FetchOptions(), onProgress: (@Sendable (TransferProgress) -> Void)? = nil
    ) async throws -> FetchResult {
        try await self.download(
            .name(contentID), to: .directory(self.configuration?.downloadDirectory ?? "."), options: options, onProgress: onProgress)
    }

    private func download(
        _ reference: ContentReference, to destination: FetchDestination, options: FetchOptions, onProgress: (@Sendable (TransferProgress) -> Void)?
    ) async throws -> FetchResult {
        let fetch = self.fetch(reference, to: destination, options: options)
        return try await withTaskCancellationHandler {
            for await case .progress(let progress) in fetch.events { onProgress?(progress) }
            return try await fetch.result()
        } onCancel: {
            fetch.cancel()
        }
    }

    // MARK: Finding

    /// The peers that say they hold a content, each once, as soon as it answers: those connected, and those on the local network.
    ///
    /// Goes on looking until nobody reads any more; ends by itself only when everybody was asked and discovery is off. For one reader.
    ///
    ///     for await peer in client.holders(of: hash) { print(peer) }
    public func holders(of hash: ContentHash) -> AsyncStream<PeerID> {
        let (stream, continuation) = AsyncStream.makeStream(of: PeerID.self, bufferingPolicy: .bufferingOldest(HolderCandidates.maximumCount))
        let seen = Mutex<Set<PeerID>>([])
        let search = HolderDialer(network: self.network, link: [], holding: hash, asksConnectedPeers: true, sparesDoubtful: false) { connection in
            let peer = connection.remotePeer
            if seen.withLock({ $0.insert(peer).inserted }) { continuation.yield(peer) }
        }
        let task = Task {
            await search.run()
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    /// The peers that say they hold a content, those connected and those on the local network, in the order in which they answer.
    ///
    /// - Parameters:
    ///   - limit: Returns as soon as so many have answered. Nil: whoever answers within `duration`.
    ///   - duration: Returns after it with those that have answered. At once when everybody was asked and discovery is off.
    public func findPeers(_ hash: ContentHash, limit: Int? = nil, for duration: Duration = .seconds(5)) async -> [PeerID] {
        let limit = limit ?? .max
        guard limit > 0 else { return [] }
        return await withTaskGroup(of: [PeerID].self) { group in
            group.addTask {
                var found: [PeerID] = []
                // Ends when it is cancelled, too.
                for await peer in self.holders(of: hash) {
                    found.append(peer)
                    if found.count >= limit { break }
                }
                return found
            }
            group.addTask {
                // Ends early only when it is cancelled: then those who answered so far.
                try? await Task.sleep(for: duration)
                return []
            }
            let first = await group.next() ?? []
            group.cancelAll()
            return await group.reduce(first) { $0 + $1 }
        }
    }

    // MARK: Fetching

    /// Fetches what `reference` means: asks the peers of the link and those on the local network, verifies every chunk, and resumes what was
    /// begun before.
    public func fetch(_ reference: ContentReference, to destination: FetchDestination, options: FetchOptions = FetchOptions()) -> Fetch {
        Fetch { reporter in
            do {
                let result = try await self.run(reference, to: destination, options: options, reporter: reporter)
                await self.remember(result.peers, failures: result.failures)
                return result
            } catch let error as TransferError {
                await self.remember([], failures: error.peers)
                throw error
            }
        }
    }

    /// Keeps what each peer gave and how often it failed, see ``NetworkManager/peers``.
    private func remember(_ peers: [PeerStatistics], failures: [PeerFailure]) async {
        let now = Date()
        do {
            for peer in peers where peer.verifiedByteCount > 0 {
                try await self.network.peers.add(PeerHistory(peer: peer.peer, receivedByteCount: peer.verifiedByteCount, lastSeen: now))
            }
            for peer in Set(failures.map(\.peer)) {
                try await self.network.peers.add(PeerHistory(peer: peer, failureCount: 1, lastSeen: now))
            }
        } catch {
            // The file is there: not remembering who gave it is no reason to fail.
            self.network.logger.info("what peers did is not remembered", metadata: ["dig.node.error": "\(error)"])
        }
    }

    // MARK: Names

    /// The content that a name or plain SHA-256 means: asks whom discovery finds under it and everybody on the local network, for `timeout` or until
    /// somebody answers.
    ///
    /// - Parameter signer: Whose word counts alone. Nil: everybody's, as long as they agree.
    /// - Throws: ``NodeError`` with `.notFound` or `.ambiguousName`.
    public func contentHash(for key: BindingKey, signer: PeerID? = nil, timeout: Duration = .seconds(30)) async throws -> ContentHash {
        try await self.resolve(key, signer: signer, timeout: timeout).contentHash
    }

    /// After the first answer, how long others may disagree.
    private static let dissentInterval: Duration = .seconds(2)
    private static let localDissentInterval: Duration = .milliseconds(500)

    private func resolve(_ key: BindingKey, signer: PeerID? = nil, timeout: Duration) async throws -> NameBinding {
        let resolution = NameResolution(key: key, signer: signer)
        let own = await self.store.bindings(for: key)
        resolution.add(own.compactMap { try? NameBinding(verifying: $0, expecting: key, nowMilliseconds: WallClock.nowMilliseconds) })
        let (answers, answered) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let search = HolderDialer(network: self.network, link: [], key: RendezvousKey(key), asksConnectedPeers: true) { connection in
            try await resolution.ask(connection, as: self.network.access)
        } found: { _ in
            answered.yield()
        }
        if try resolution.settled() == nil {
            try await self.whileRunning(search) {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { _ = await answers.first(within: timeout) }
                    group.addTask { await self.everybodyWasAsked(by: search, hasPeers: false) }
                    await group.next()
                    group.cancelAll()
                }
                try Task.checkCancellation()
                await withTaskGroup(of: Void.self) { group in
                    // Ends early only when it is cancelled.
                    group.addTask { try? await Task.sleep(for: search.asksDiscovery ? Self.dissentInterval : Self.localDissentInterval) }
                    group.addTask { await self.everybodyWasAsked(by: search, hasPeers: false) }
                    await group.next()
                    group.cancelAll()
                }
            }
        }
        guard let binding = try resolution.settled() else {
            throw NodeError(.notFound, "nobody who could be asked knows \(resolution.description)\(HolderDialer.list(search.log))\(search.silence)")
        }
        return binding
    }

    private func run(
        _ reference: ContentReference, to destination: FetchDestination, options: FetchOptions, reporter: FetchReporter
    ) async throws -> FetchResult {
        // Before anybody is asked for anything.
        _ = try options.download.chunkLayer()
        var target: FetchTarget
        switch reference {
        case .link(let link): target = FetchTarget(link: link)
        case .contentHash(let hash): target = FetchTarget(contentHash: hash)
        case .name(let name, let signer):
            reporter.enter(.resolving)
            let binding = try await self.resolve(.name(name), signer: signer, timeout: options.searchTimeout)
            reporter.enter(.resolved(binding))
            target = FetchTarget(contentHash: binding.contentHash)
        case .sha256(let digest):
            reporter.enter(.resolving)
            let binding = try await self.resolve(.sha256(digest), timeout: options.searchTimeout)
            reporter.enter(.resolved(binding))
            target = FetchTarget(contentHash: binding.contentHash)
            target.kind = .file
            target.sha256 = digest
            target.sha256Source = "\(binding.signer.peerID)"
        }
        if let demanded = options.verificationHash {
            target.sha256 = demanded
            target.sha256Source = nil
        }

        self.network.access.begin(target.contentHash, token: target.token)
        reporter.enter(.searching)
        let holders = HolderRelay()
        let watch = FetchWatch(HolderMeetings(target.contentHash, in: self.network.nodeAvailability))
        let search = HolderDialer(
            network: self.network, link: target.peers + options.peers, holding: target.contentHash,
            found: {
                watch.arrived($0)
                holders.add($0)
            }, moved: { holders.move(from: $0, to: $1) })
        var watching = reporter
        watching.progressed = {
            watch.progressed($0)
            search.delivering($0.peers.contains { $0.isConnected && !$0.isStalled })
        }
        do {
            let result = try await self.whileRunning(search) { [target, watching] in
                let first = try await self.firstHolder(holders, search: search, target: target, options: options)
                return try await self.unlessRefusedByAll(target.contentHash, search: search, watch: watch) {
                    try await self.transfer(
                        target, from: holders, first: first, search: search, watch: watch, to: destination, options: options, reporter: watching)
                }
            }
            watch.ended(result.peers, failures: result.failures, isWhole: true)
            return result
        } catch {
            watch.ended(nil, failures: (error as? TransferError)?.peers ?? [], isWhole: false)
            throw self.network.access.clarified(error, fetching: target.contentHash)
        }
    }

    /// How often it is looked whether there is still somebody to wait for.
    private static let refusalInterval: Duration = .milliseconds(200)

    /// Ends `body` when everybody who has the content does not give it to this node, and nobody else is there to be waited for: that is worth knowing at once.
    ///
    /// - Throws: `TransferError` with `.noHolders` and the refusals then.
    private func unlessRefusedByAll<Value: Sendable>(
        _ content: ContentHash, search: HolderDialer, watch: FetchWatch, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                if self.network.localDiscovery != nil { try await Task.sleep(for: Self.localGrace) }
                await search.discoveryIsExhausted()
                while true {
                    try await Task.sleep(for: Self.refusalInterval)
                    let refusals = self.network.access.refusals(of: content)
                    guard !refusals.isEmpty, !watch.hasPeers, search.knowsNobody(besides: Set(refusals.map(\.peer))) else { continue }
                    throw TransferError(.noHolders, "nobody who has \(content) gives it to this node", peers: refusals)
                }
            }
            defer { group.cancelAll() }
            while let ended = try await group.next() {
                if let value = ended { return value }
            }
            throw CancellationError()
        }
    }

    /// How long the local network has for an answer once every peer of the link has failed: the budget of layer 0.
    private static let localGrace: Duration = .seconds(3)

    private func firstHolder(
        _ holders: HolderRelay, search: HolderDialer, target: FetchTarget, options: FetchOptions
    ) async throws -> any Connection {
        let hasPeers = !(target.peers + options.peers).isEmpty
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await holders.first(within: options.searchTimeout) }
            group.addTask { await self.everybodyWasAsked(by: search, hasPeers: hasPeers) }
            await group.next()
            group.cancelAll()
        }
        if let connection = holders.current { return connection }
        try Task.checkCancellation()
        let reasons = search.log
        guard !reasons.isEmpty else {
            throw NodeError(
                .notFound,
                "nobody who could be asked has \(target.contentHash); ask whoever shared it for the whole link, and check that it is still being shared\(search.silence)")
        }
        throw NodeError(.unreachable, "no holder of \(target.contentHash) could be reached; is it still being shared?\(HolderDialer.list(reasons))")
    }

    /// Returns when nobody is left who could be asked; not before the task is cancelled where only the local network could have an answer.
    private func everybodyWasAsked(by search: HolderDialer, hasPeers: Bool) async {
        let start = ContinuousClock.now
        if hasPeers {
            await search.linkIsExhausted()
        } else if !search.asksDiscovery {
            // Ends when it is cancelled.
            try? await Task.sleep(for: .seconds(86_400))
        }
        await search.discoveryIsExhausted()
        guard self.network.localDiscovery != nil else { return }
        // Ends early only when it is cancelled.
        try? await Task.sleep(until: start + Self.localGrace, clock: .continuous)
        // Whom it has found meanwhile.
        await search.discoveryIsExhausted()
    }

    /// What the content is, in the words of the first holder that tells the truth, and that holder.
    private func described(
        _ target: FetchTarget, from holders: HolderRelay, first: any Connection, search: HolderDialer, watch: FetchWatch, timeout: Duration
    ) async throws -> (FetchTarget, any Connection) {
        let deadline = ContinuousClock.now + timeout
        var holder = first
        var failures: [PeerFailure] = []
        while true {
            do {
                return (try await self.described(target, by: holder), holder)
            } catch {
                try Task.checkCancellation()
                failures.append(PeerFailure(peer: holder.remotePeer, error: error))
                watch.failed(failures[failures.count - 1])
                search.delivering(false)
            }
            // One that lies, or has nothing to say, must not keep us from the others.
            let isLast = search.isOver
            guard let next = await holders.connection(at: failures.count, until: isLast ? .now : deadline) else { break }
            holder = next
        }
        guard failures.count == 1 else { throw TransferError(.noHolders, "nobody who was asked can say what \(target.contentHash) is", peers: failures) }
        var error = failures[0].error
        let peer = "\(failures[0].peer)"
        if !error.message.contains(peer) { error.message = "\(peer): \(error.message)" }
        throw error
    }

    private func described(_ target: FetchTarget, by holder: any Connection) async throws(TransferError) -> FetchTarget {
        let description: PeerDescription
        do {
            description = try await self.network.access.description(of: target.contentHash, on: holder)
        } catch {
            throw error as? TransferError ?? TransferError(.disconnected, "no transfer stream to \(holder.remotePeer)", cause: error)
        }
        var target = target
        switch description {
        case .file(let descriptor, let name):
            target.kind = .file
            target.descriptor = descriptor
            target.name = target.name ?? name.map { FileNameSanitizer.sanitized($0) }
        case .folder(let name):
            target.kind = .folder
            target.name = target.name ?? name.map { FileNameSanitizer.sanitized($0) }
        case .notHeld:
            throw TransferError(.notFound, "\(holder.remotePeer) does not have \(target.contentHash) any more; ask whoever shared it for a new link")
        case .refused(let reason):
            throw TransferError(.refused, "\(holder.remotePeer) does not deliver \(target.contentHash): \(reason)")
        }
        return target
    }

    private func transfer(
        _ target: FetchTarget, from holders: HolderRelay, first: any Connection, search: HolderDialer, watch: FetchWatch, to destination: FetchDestination,
        options: FetchOptions, reporter: FetchReporter
    ) async throws -> FetchResult {
        var (target, first) = (target, first)
        if target.kind == nil || (target.name == nil && destination.needsName) {
            (target, first) = try await self.described(target, from: holders, first: first, search: search, watch: watch, timeout: options.searchTimeout)
        }
        let name = target.name ?? target.contentHash.description
        reporter.enter(.transferring(target.contentHash, name: name))

        var downloadOptions = options.download
        downloadOptions.sha256 = target.sha256
        downloadOptions.sha256Source = target.sha256Source
        downloadOptions.keepsFile = destination.keepsFile
        downloadOptions.authenticator = self.network.access
        let limiter = RateLimiter(bytesPerSecond: options.rate, parent: self.network.downloadLimiter)
        return switch target.kind {
        case .folder:
            try await self.fetchFolder(
                target, to: destination.resolved(name: name), from: holders, eventLoop: first.eventLoop, options: downloadOptions, limiter: limiter,
                reporter: reporter)
        case .file, nil:
            try await self.fetchFile(
                target, to: destination.resolved(name: name), from: holders, eventLoop: first.eventLoop, options: downloadOptions, limiter: limiter,
                serves: options.servesWhileFetching, reporter: reporter)
        }
    }

    private func fetchFile(
        _ target: FetchTarget, to destination: DownloadDestination, from holders: HolderRelay, eventLoop: any EventLoop, options: DownloadOptions,
        limiter: RateLimiter, serves: Bool, reporter: FetchReporter
    ) async throws -> FetchResult {
        let download = FileDownload(
            target.contentHash, descriptor: target.descriptor, to: destination, options: options, store: self.transfers, limiter: limiter,
            eventLoop: eventLoop, threadPool: self.network.threadPool, logger: self.network.logger)
        holders.forward(add: { download.add($0) }, remove: { download.remove($0) })
        if serves { self.network.contents.add(target.contentHash) { await download.hostedContent() } }
        defer { self.network.contents.removeDownload(target.contentHash) }
        reporter.readable.yield(download)
        reporter.readable.finish()
        let result = try await self.reporting(download.progress, to: reporter) { try await download.run() }
        return FetchResult(
            contentHash: target.contentHash, path: result.path, byteCount: result.descriptor.size, fileCount: 1,
            resumedByteCount: result.resumedByteCount, wasPresent: result.wasPresent, sha256: result.sha256, peers: result.peers,
            failures: result.failures, duration: result.duration)
    }

    private func fetchFolder(
        _ target: FetchTarget, to destination: DownloadDestination, from holders: HolderRelay, eventLoop: any EventLoop, options: DownloadOptions,
        limiter: RateLimiter, reporter: FetchReporter
    ) async throws -> FetchResult {
        guard options.sha256 == nil else {
            throw TransferError(.isFolder, "a folder has no SHA-256 of its own; leave the verification hash out")
        }
        let download = FolderDownload(
            target.contentHash, to: destination, options: options, store: self.transfers, limiter: limiter, eventLoop: eventLoop,
            threadPool: self.network.threadPool, logger: self.network.logger)
        holders.forward(add: { download.add($0) }, remove: { download.remove($0) })
        reporter.readable.finish()
        let result = try await self.reporting(download.progress, to: reporter) { try await download.run() }
        return FetchResult(
            contentHash: target.contentHash, path: result.path, byteCount: result.listing.totalByteCount, fileCount: result.listing.entries.count,
            resumedByteCount: 0, wasPresent: result.presentFileCount == result.listing.entries.count, sha256: nil, peers: result.peers,
            failures: result.failures, duration: result.duration)
    }

    private func reporting<Value: Sendable>(
        _ progress: AsyncStream<TransferProgress>, to reporter: FetchReporter, _ body: () async throws -> Value
    ) async throws -> Value {
        async let forwarding: Void = {
            for await progress in progress {
                reporter.progressed(progress)
                reporter.events.yield(.progress(progress))
            }
        }()
        let value = try await body()
        await forwarding
        return value
    }

    // MARK: Parts

    /// Runs `search` for as long as `body`.
    private func whileRunning<Value: Sendable>(_ search: HolderDialer, _ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await search.run() }
            defer { group.cancelAll() }
            return try await body()
        }
    }
}
