public import DIGContent
public import DIGIdentity
public import DIGMultiformats
import DIGNet
import DIGStorage
public import DIGTransfer
public import Logging
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
        try await NameResolver(network: self.network).binding(for: key, signer: signer, timeout: timeout).contentHash
    }

    private func run(
        _ reference: ContentReference, to destination: FetchDestination, options: FetchOptions, reporter: FetchReporter
    ) async throws -> FetchResult {
        // Before anybody is asked for anything.
        _ = try options.download.chunkLayer()
        let target = try await NameResolver(network: self.network).target(of: reference, options: options, reporter: reporter)
        return try await FetchOperation(target, to: destination, options: options, network: self.network, transfers: self.transfers, reporter: reporter).run()
    }
}
