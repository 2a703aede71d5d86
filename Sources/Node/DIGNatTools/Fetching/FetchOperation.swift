import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGStorage
import DIGTransfer
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One fetch of a content that is known by its hash: looks for holders, learns from them what the content is, and has it transferred.
///
/// The search for holders runs exactly as long as the fetch. To be run once.
struct FetchOperation: Sendable {
    /// How often it is looked whether there is still somebody to wait for.
    private static let refusalInterval: Duration = .milliseconds(200)

    private let target: FetchTarget
    private let destination: FetchDestination
    private let options: FetchOptions
    private let network: NetworkManager
    private let transfers: SQLiteTransferStore
    private let reporter: FetchReporter
    private let holders = HolderRelay()
    private let watch: FetchWatch
    private let search: HolderDialer

    /// - Parameters:
    ///   - transfers: Where it is kept how far a transfer has come.
    ///   - reporter: Told what it does.
    init(
        _ target: FetchTarget, to destination: FetchDestination, options: FetchOptions, network: NetworkManager, transfers: SQLiteTransferStore, reporter: FetchReporter
    ) {
        self.target = target
        self.destination = destination
        self.options = options
        self.network = network
        self.transfers = transfers
        let (holders, watch) = (self.holders, FetchWatch(HolderMeetings(target.contentHash, in: network.nodeAvailability)))
        let search = HolderDialer(
            network: network, link: target.peers + options.peers, holding: target.contentHash,
            found: {
                watch.arrived($0)
                holders.add($0)
            }, moved: { holders.move(from: $0, to: $1) })
        self.watch = watch
        self.search = search
        var watching = reporter
        watching.progressed = {
            watch.progressed($0)
            search.delivering($0.peers.contains { $0.isConnected && !$0.isStalled })
        }
        self.reporter = watching
    }

    /// Fetches it.
    ///
    /// - Throws: As ``Fetch/result()``.
    func run() async throws -> FetchResult {
        self.network.access.begin(self.target.contentHash, token: self.target.token)
        self.reporter.enter(.searching)
        do {
            let result = try await self.search.running {
                let first = try await self.firstHolder()
                return try await self.unlessRefusedByAll { try await self.transfer(first: first) }
            }
            self.watch.ended(result.peers, failures: result.failures, isWhole: true)
            return result
        } catch {
            self.watch.ended(nil, failures: (error as? TransferError)?.peers ?? [], isWhole: false)
            throw self.network.access.clarified(error, fetching: self.target.contentHash)
        }
    }

    // MARK: Holders

    /// Ends `body` when everybody who has the content does not give it to this node, and nobody else is there to be waited for: that is worth knowing at once.
    ///
    /// - Throws: `TransferError` with `.noHolders` and the refusals then.
    private func unlessRefusedByAll<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let content = self.target.contentHash
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                if self.network.localDiscovery != nil { try await Task.sleep(for: HolderDialer.localGrace) }
                await self.search.discoveryIsExhausted()
                while true {
                    try await Task.sleep(for: Self.refusalInterval)
                    let refusals = self.network.access.refusals(of: content)
                    guard !refusals.isEmpty, !self.watch.hasPeers, self.search.knowsNobody(besides: Set(refusals.map(\.peer))) else { continue }
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

    /// Somebody who has the content, by its own word or that of the link.
    ///
    /// - Throws: ``NodeError`` with `.notFound` if nobody was tried, `.unreachable` with what came of each.
    private func firstHolder() async throws -> any Connection {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await self.holders.first(within: self.options.searchTimeout) }
            group.addTask { await self.search.everybodyWasAsked() }
            await group.next()
            group.cancelAll()
        }
        if let connection = self.holders.current { return connection }
        try Task.checkCancellation()
        let log = self.search.log
        guard !log.isEmpty else {
            throw NodeError(
                .notFound,
                "nobody who could be asked has \(self.target.contentHash); ask whoever shared it for the whole link, and check that it is still being shared\(log.silence)")
        }
        throw NodeError(.unreachable, "no holder of \(self.target.contentHash) could be reached; is it still being shared?\(log.list)")
    }

    // MARK: What it is

    /// What the content is, in the words of the first holder that tells the truth, and that holder.
    private func described(first: any Connection) async throws -> (FetchTarget, any Connection) {
        let deadline = ContinuousClock.now + self.options.searchTimeout
        var holder = first
        var failures: [PeerFailure] = []
        while true {
            do {
                return (try await self.described(by: holder), holder)
            } catch {
                try Task.checkCancellation()
                failures.append(PeerFailure(peer: holder.remotePeer, error: error))
                self.watch.failed(failures[failures.count - 1])
                self.search.delivering(false)
            }
            // One that lies, or has nothing to say, must not keep us from the others.
            let isLast = self.search.isOver
            guard let next = await self.holders.connection(at: failures.count, until: isLast ? .now : deadline) else { break }
            holder = next
        }
        guard failures.count == 1 else { throw TransferError(.noHolders, "nobody who was asked can say what \(self.target.contentHash) is", peers: failures) }
        var error = failures[0].error
        let peer = "\(failures[0].peer)"
        if !error.message.contains(peer) { error.message = "\(peer): \(error.message)" }
        throw error
    }

    private func described(by holder: any Connection) async throws(TransferError) -> FetchTarget {
        let description: PeerDescription
        do {
            description = try await self.network.access.description(of: self.target.contentHash, on: holder)
        } catch {
            throw error as? TransferError ?? TransferError(.disconnected, "no transfer stream to \(holder.remotePeer)", cause: error)
        }
        var target = self.target
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

    // MARK: Transfer

    private func transfer(first: any Connection) async throws -> FetchResult {
        var (target, first) = (self.target, first)
        if target.kind == nil || (target.name == nil && self.destination.needsName) { (target, first) = try await self.described(first: first) }
        let name = target.name ?? target.contentHash.description
        self.reporter.enter(.transferring(target.contentHash, name: name))

        var downloadOptions = self.options.download
        downloadOptions.sha256 = target.sha256
        downloadOptions.sha256Source = target.sha256Source
        downloadOptions.keepsFile = self.destination.keepsFile
        downloadOptions.authenticator = self.network.access
        let limiter = RateLimiter(bytesPerSecond: self.options.rate, parent: self.network.downloadLimiter)
        let place = try self.destination.resolved(name: name)
        return switch target.kind {
        case .folder: try await self.fetchFolder(target, to: place, eventLoop: first.eventLoop, options: downloadOptions, limiter: limiter)
        case .file, nil: try await self.fetchFile(target, to: place, eventLoop: first.eventLoop, options: downloadOptions, limiter: limiter)
        }
    }

    private func fetchFile(
        _ target: FetchTarget, to destination: DownloadDestination, eventLoop: any EventLoop, options: DownloadOptions, limiter: RateLimiter
    ) async throws -> FetchResult {
        let download = FileDownload(
            target.contentHash, descriptor: target.descriptor, to: destination, options: options, store: self.transfers, limiter: limiter,
            eventLoop: eventLoop, threadPool: self.network.threadPool, logger: self.network.logger)
        self.holders.forward(add: { download.add($0) }, remove: { download.remove($0) })
        if self.options.servesWhileFetching { self.network.contents.add(target.contentHash) { await download.hostedContent() } }
        defer { self.network.contents.removeDownload(target.contentHash) }
        self.reporter.readable.yield(download)
        self.reporter.readable.finish()
        let result = try await self.reporting(download.progress) { try await download.run() }
        return FetchResult(
            contentHash: target.contentHash, path: result.path, byteCount: result.descriptor.size, fileCount: 1,
            resumedByteCount: result.resumedByteCount, wasPresent: result.wasPresent, sha256: result.sha256, peers: result.peers,
            failures: result.failures, duration: result.duration)
    }

    private func fetchFolder(
        _ target: FetchTarget, to destination: DownloadDestination, eventLoop: any EventLoop, options: DownloadOptions, limiter: RateLimiter
    ) async throws -> FetchResult {
        guard options.sha256 == nil else {
            throw TransferError(.isFolder, "a folder has no SHA-256 of its own; leave the verification hash out")
        }
        let download = FolderDownload(
            target.contentHash, to: destination, options: options, store: self.transfers, limiter: limiter, eventLoop: eventLoop,
            threadPool: self.network.threadPool, logger: self.network.logger)
        self.holders.forward(add: { download.add($0) }, remove: { download.remove($0) })
        self.reporter.readable.finish()
        let result = try await self.reporting(download.progress) { try await download.run() }
        let isMade = try result.listing.entries.isEmpty && Self.makeEmptyFolder(result.path)
        return FetchResult(
            contentHash: target.contentHash, path: result.path, byteCount: result.listing.totalByteCount, fileCount: result.listing.entries.count,
            resumedByteCount: 0, wasPresent: !isMade && result.presentFileCount == result.listing.entries.count, sha256: nil, peers: result.peers,
            failures: result.failures, duration: result.duration)
    }

    /// A folder without files is made by none of them.
    ///
    /// - Returns: Whether it was not there.
    private static func makeEmptyFolder(_ path: String) throws(TransferError) -> Bool {
        var isDirectory = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) {
            guard isDirectory else { throw TransferError(.alreadyExists, "\(path) exists already: choose another name or move it away") }
            return false
        }
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw TransferError(.notWritable, "the folder \(path) cannot be made: choose another place", cause: error)
        }
        return true
    }

    private func reporting<Value: Sendable>(_ progress: AsyncStream<TransferProgress>, _ body: () async throws -> Value) async throws -> Value {
        async let forwarding: Void = {
            for await progress in progress {
                self.reporter.progressed(progress)
                self.reporter.events.yield(.progress(progress))
            }
        }()
        let value = try await body()
        await forwarding
        return value
    }
}
