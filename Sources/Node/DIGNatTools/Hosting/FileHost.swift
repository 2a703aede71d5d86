public import DIGAccess
public import DIGAnnouncement
public import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGStorage
import DIGTransfer
public import Logging
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Shares files and folders.
///
///     let host = FileHost(network: network)
///     let content = try await host.addFile("holiday.mp4", contentID: "holiday")
///     print(try content.link(addresses: network.addresses))
///
/// The network must be started for peers to reach it. What is shared is remembered in the node's database: a later run serves it again.
///
/// A host can also bring a network of its own, and share a directory:
///
///     let host = try FileHost(configuration: FileHostConfiguration(directory: "shared-files"), logger: logger)
///     try await host.start()
public final class FileHost: Sendable {
    /// What it is reached by.
    public let network: NetworkManager
    /// What happens at every host of this network. Each use gives a stream of its own, for one reader, which begins with what happened
    /// before, as far as 1024 events back, and ends when the network stops. Bounded: a slow reader misses the oldest.
    public var events: AsyncStream<HostEvent> { self.network.hostEvents.subscribe() }

    private let store: SharedContentStore
    /// Nil: the network is somebody else's to start and stop.
    private let configuration: FileHostConfiguration?
    /// Plain SHA-256 computations under way, one after another.
    private let digests = Mutex<Task<Void, Never>?>(nil)
    /// Announcements under way.
    private let announcements = Mutex<(tasks: [UInt64: Task<Void, Never>], next: UInt64)>(([:], 0))

    /// - Parameter network: Whoever made it starts and stops it.
    public convenience init(network: NetworkManager) {
        self.init(network: network, configuration: nil)
    }

    /// A host with a network of its own.
    ///
    /// - Throws: As ``NetworkManager/init(configuration:transports:group:logger:)``.
    public convenience init(configuration: FileHostConfiguration, logger: Logger = .silent) throws {
        self.init(network: try NetworkManager(configuration: configuration.node, logger: logger), configuration: configuration)
    }

    private init(network: NetworkManager, configuration: FileHostConfiguration?) {
        self.network = network
        self.configuration = configuration
        self.store = network.shared
    }

    // MARK: Life cycle

    /// Starts the network if it is the host's own, and shares every file and folder in the configured directory, hidden ones excepted.
    ///
    /// - Throws: As ``NetworkManager/start()`` and ``addFile(_:contentID:progress:)``.
    public func start() async throws {
        guard let configuration = self.configuration else { return }
        try await self.network.start()
        guard FileManager.default.fileExists(atPath: configuration.directory) else { return }
        do {
            for name in try FileManager.default.contentsOfDirectory(atPath: configuration.directory).sorted() where !name.hasPrefix(".") {
                try await self.add(configuration.directory + "/" + name)
            }
            try await self.announceEverything()
        } catch {
            await self.stop()
            throw error
        }
    }

    /// Gives up computing plain SHA-256s, which are computed when the file is shared next, and stops the network if it is the host's own.
    public func stop() async {
        let task = self.digests.withLock { $0 }
        task?.cancel()
        await task?.value
        let announcements = self.announcements.withLock { Array($0.tasks.values) }
        for task in announcements { task.cancel() }
        for task in announcements { await task.value }
        if self.configuration != nil { await self.network.stop() }
    }

    // MARK: Adding

    /// Shares the file or folder at `path`. Files that have not changed since they were shared last are not hashed again.
    ///
    /// It is announced by every enabled way of discovery, see ``HostEvent/announced(_:_:)``, and again from time to time until it is removed or the network
    /// stops. The plain SHA-256 of a file follows in the background, see ``HostEvent/sha256Computed(_:_:)``. Cancelling stops the hashing; what is
    /// hashed by then is not hashed again.
    ///
    /// - Parameters:
    ///   - contentID: A name others can ask for it by: whoever asks this node is answered with a signed record.
    ///   - announceLevel: How eagerly others are told of it. Nil: as it was; medium if nothing was said before, or others were not told. With
    ///     ``NodeDiscoveryConfiguration/announces`` off they are not, and this is remembered until it is added with it on.
    ///   - access: Who may have it, from the first moment on. Nil: as it was; everybody if nothing was said before.
    ///   - progress: Bytes hashed so far and in all; from any thread.
    /// - Throws: `ContentError` about what cannot be read or named, `AccessError` if there are too many rules, `StorageError`.
    @discardableResult
    public func addFile(
        _ path: String, contentID: String? = nil, announceLevel: AnnounceLevel? = nil, access: ContentAccess? = nil, progress: (@Sendable (HashProgress) -> Void)? = nil
    ) async throws -> SharedContent {
        let absolute = Self.absolute(path)
        var before: [SharedContent] = []
        for share in try await self.store.shares(atPathOrContentID: absolute) where share.path == absolute { before.append(try await self.content(of: share)) }
        let content = try await self.add(path, contentID: contentID, announceLevel: announceLevel, access: access, progress: progress)
        // What was here before and is nowhere else has been told to others.
        for old in before where old.contentHash != content.contentHash {
            if try await self.store.share(old.contentHash) == nil { self.withdraw(old, besides: content) }
        }
        self.announce(content)
        return content
    }

    @discardableResult
    private func add(
        _ path: String, contentID: String? = nil, announceLevel: AnnounceLevel? = nil, access: ContentAccess? = nil, progress: (@Sendable (HashProgress) -> Void)? = nil
    ) async throws -> SharedContent {
        let path = Self.absolute(path)
        let before = try await self.store.shares(atPathOrContentID: path).first { $0.path == path }
        let announceLevel = self.network.configuration.discovery.announces ? announceLevel ?? before?.announceLevel ?? .medium : nil
        var isDirectory = false
        guard Self.exists(path, isDirectory: &isDirectory) else {
            throw ContentError(.fileUnreadable, "there is no file or folder \(DisplayText.escaped(path))")
        }
        let content = isDirectory
            ? try await self.addFolder(path, contentID: contentID, announceLevel: announceLevel, access: access, progress: progress)
            : try await self.addSingleFile(path, contentID: contentID, announceLevel: announceLevel, access: access, progress: progress)
        if let contentID {
            try await self.bind(.name(contentID), to: content.contentHash)
        }
        return content
    }

    private func addSingleFile(
        _ path: String, contentID: String?, announceLevel: AnnounceLevel?, access: ContentAccess?, progress: (@Sendable (HashProgress) -> Void)?
    ) async throws -> SharedContent {
        try FolderWalk.checkIsNotPrivate(path)
        let (file, sha256) = try await self.hashed(path, progress: progress)
        let name = Self.name(of: path)
        let hash = file.descriptor.contentHash
        let share = Share(
            contentHash: hash, kind: .file, path: path, name: name, contentID: contentID, announceLevel: announceLevel, byteCount: file.descriptor.size, added: Date())
        try await self.restrict(hash, at: path, to: access)
        try await self.store.add(share, paths: [path])
        if let sha256 {
            try await self.bind(.sha256(sha256), to: hash)
        } else {
            self.computeSHA256(ofFileAt: path, stamp: file.stamp, contentHash: hash, announceLevel: announceLevel)
        }
        return SharedContent(
            contentHash: hash, kind: .file, path: path, name: name, contentID: contentID, announceLevel: announceLevel, byteCount: file.descriptor.size, fileCount: 1,
            root: file.descriptor.root, sha256: sha256)
    }

    private func addFolder(
        _ path: String, contentID: String?, announceLevel: AnnounceLevel?, access: ContentAccess?, progress: (@Sendable (HashProgress) -> Void)?
    ) async throws -> SharedContent {
        let files = try FolderWalk.files(in: path)
        let total = files.reduce(UInt64(0)) { $0 &+ $1.size }
        var done: UInt64 = 0
        var entries: [FolderListing.Entry] = []
        entries.reserveCapacity(files.count)
        var fresh: [(path: String, file: HashedFile)] = []
        for found in files {
            let before = done
            let (file, _) = try await self.hashed(found.absolutePath, saving: &fresh) { step in
                progress?(HashProgress(completed: min(total, before + step.completed), total: total))
            }
            done = min(total, before &+ file.descriptor.size)
            entries.append(FolderListing.Entry(path: found.path, descriptor: file.descriptor))
        }
        if !fresh.isEmpty { try await self.store.save(fresh) }
        progress?(HashProgress(completed: total, total: total))
        let listing = try FolderListing(entries: entries)
        let name = Self.name(of: path)
        let share = Share(
            contentHash: listing.contentHash, kind: .folder, path: path, name: name, contentID: contentID, announceLevel: announceLevel, byteCount: listing.totalByteCount,
            added: Date())
        try await self.restrict(listing.contentHash, at: path, to: access)
        try await self.store.add(share, paths: files.map(\.absolutePath), listing: listing.encoded)
        return SharedContent(
            contentHash: listing.contentHash, kind: .folder, path: path, name: name, contentID: contentID, announceLevel: announceLevel, byteCount: listing.totalByteCount,
            fileCount: files.count, root: nil, sha256: nil)
    }

    /// The hashes of a file, from the database if it has not changed.
    private func hashed(
        _ path: String, progress: (@Sendable (HashProgress) -> Void)?
    ) async throws -> (HashedFile, SHA256Digest?) {
        var fresh: [(path: String, file: HashedFile)] = []
        let result = try await self.hashed(path, saving: &fresh, progress: progress)
        if !fresh.isEmpty { try await self.store.save(fresh) }
        return result
    }

    /// Files saved together in one transaction: a folder of many small files would otherwise wait for the disk at each of them.
    private static let savingBatchCount = 256

    private func hashed(
        _ path: String, saving fresh: inout [(path: String, file: HashedFile)], progress: (@Sendable (HashProgress) -> Void)?
    ) async throws -> (HashedFile, SHA256Digest?) {
        let stamp = try FileStamp(ofFileAt: path)
        if let known = try await self.store.hashedFile(at: path, stamp: stamp) {
            progress?(HashProgress(completed: stamp.size, total: stamp.size))
            return (known.file, known.sha256)
        }
        let file = try await FileHasher().hash(fileAt: path, progress: progress)
        fresh.append((path, file))
        if fresh.count >= Self.savingBatchCount {
            try await self.store.save(fresh)
            fresh.removeAll(keepingCapacity: true)
        }
        return (file, nil)
    }

    // MARK: Announcing

    private var announces: Bool { self.network.configuration.discovery.announces && !self.network.discovery.manager.sources.isEmpty }

    /// What others look under to find the content: its hash, its name, and its plain SHA-256 if that is known.
    ///
    /// Nothing if others are not told of it.
    private static func announced(_ content: SharedContent, port: UInt16?) -> [AnnouncedContent] {
        guard let level = content.announceLevel else { return [] }
        var keys = [RendezvousKey(content.contentHash)]
        if let name = content.contentID { keys.append(RendezvousKey(.name(name))) }
        if let sha256 = content.sha256 { keys.append(RendezvousKey(.sha256(sha256))) }
        return keys.map { AnnouncedContent($0, port: port, contentID: content.contentID, level: level) }
    }

    private var port: UInt16? { self.network.swarm.listenAddresses.lazy.compactMap(\.tcpPort).first }

    /// In the background; tells of the content itself when that is done.
    private func announce(_ content: SharedContent) {
        let announced = Self.announced(content, port: self.port)
        guard let first = announced.first else { return }
        self.announce(first) { [network] in network.hostEvents.emit(.announced(content.contentHash, $0)) }
        for name in announced.dropFirst() { self.announce(name) }
    }

    private func announce(_ content: AnnouncedContent, reported: @escaping @Sendable (AnnouncementReport) -> Void = { _ in }) {
        guard self.announces else { return }
        self.inBackground { [network] in
            do { reported(try await network.discovery.manager.announce(content)) } catch is CancellationError {
                // The host has stopped.
            } catch {
                network.logger.info("a content is not announced", metadata: ["dig.node.error": "\(error)"])
            }
        }
    }

    /// Announces everything that is shared, from earlier runs too, in the background, except what was shared with announcing switched off. Without effect if
    /// it is off.
    ///
    /// - Throws: `DiscoveryError` `.limitExceeded`, `StorageError`.
    public func announceEverything() async throws {
        guard self.announces else { return }
        let port = self.port
        try self.network.discovery.manager.announce(all: try await self.contents.filter { !$0.isChanged }.flatMap { Self.announced($0, port: port) })
    }

    private func inBackground(_ body: @escaping @Sendable () async -> Void) {
        self.announcements.withLock { announcements in
            let id = announcements.next
            announcements.next += 1
            announcements.tasks[id] = Task {
                await body()
                self.announcements.withLock { _ = $0.tasks.removeValue(forKey: id) }
            }
        }
    }

    // MARK: Names

    private func bind(_ key: BindingKey, to hash: ContentHash) async throws {
        let now = WallClock.nowMilliseconds
        let envelope = try NameBinding.sign(key, as: hash, timestampMilliseconds: now, with: self.network.identity)
        try await self.store.save(envelope, for: NameBinding(verifying: envelope, expecting: key, nowMilliseconds: now))
    }

    /// Off the critical path: the link is out long before.
    private func computeSHA256(ofFileAt path: String, stamp: FileStamp, contentHash: ContentHash, announceLevel: AnnounceLevel?) {
        self.digests.withLock { task in
            let previous = task
            task = Task(priority: .utility) {
                await previous?.value
                guard !Task.isCancelled else { return }
                do {
                    let sha256 = try await PlainSHA256.hash(fileAt: path)
                    guard try FileStamp(ofFileAt: path) == stamp else { return }
                    try await self.store.setSHA256(sha256, forFileAt: path, stamp: stamp)
                    try await self.bind(.sha256(sha256), to: contentHash)
                    self.network.hostEvents.emit(.sha256Computed(contentHash, sha256))
                    if let announceLevel { self.announce(AnnouncedContent(RendezvousKey(.sha256(sha256)), port: self.port, level: announceLevel)) }
                } catch is CancellationError {
                    // Computed when the file is shared next.
                } catch {
                    self.network.logger.info("no plain SHA-256 for a shared file", metadata: ["dig.node.error": "\(error)"])
                }
            }
        }
    }

    /// Returns when the plain SHA-256 of everything added so far is known.
    public func waitForSHA256() async {
        await self.digests.withLock { $0 }?.value
    }

    // MARK: What is shared

    /// Everything shared, the newest first.
    public var contents: [SharedContent] {
        get async throws {
            var contents: [SharedContent] = []
            for share in try await self.store.shares() {
                contents.append(try await self.content(of: share))
            }
            return contents
        }
    }

    private func content(of share: Share) async throws -> SharedContent {
        let files = try await self.store.files(of: share.contentHash)
        let file = share.kind == .file ? files.first : nil
        var content = SharedContent(
            contentHash: share.contentHash, kind: share.kind == .folder ? .folder : .file, path: share.path, name: share.name,
            contentID: share.contentID, announceLevel: share.announceLevel, byteCount: share.byteCount, fileCount: files.count, root: file?.descriptor.root, sha256: file?.sha256)
        content.isChanged = !files.allSatisfy(Self.isUnchanged)
        return content
    }

    private static func isUnchanged(_ file: SharedFile) -> Bool {
        do {
            return try FileStamp(ofFileAt: file.path) == file.stamp
        } catch {
            return false  // gone, or no regular file any more
        }
    }

    /// Stops sharing, and lets those know who were told. The file itself stays.
    ///
    /// - Throws: ``NodeError`` with `.notShared`, `StorageError`.
    @discardableResult
    public func removeFile(_ hash: ContentHash) async throws -> SharedContent {
        guard let share = try await self.store.share(hash) else {
            throw NodeError(.notShared, "\(hash) is not shared; see what is with: dig-nat ls")
        }
        let content = try await self.content(of: share)
        _ = try await self.store.remove(hash)
        self.network.transferHost.withdraw(hash)
        self.withdraw(content)
        return content
    }

    /// Lets those know who were told, in the background.
    ///
    /// - Parameter other: What it goes by stays announced.
    private func withdraw(_ content: SharedContent, besides other: SharedContent? = nil) {
        let manager = self.network.discovery.manager
        let kept = Set(other.map { Self.announced($0, port: nil).map(\.key) } ?? [])
        for announced in Self.announced(content, port: nil) where !kept.contains(announced.key) && manager.announcement(of: announced.key) != nil {
            self.inBackground { [network] in
                do { try await manager.withdraw(announced.key) } catch is CancellationError {
                    // The host has stopped.
                } catch {
                    network.logger.info("a content is not withdrawn", metadata: ["dig.node.error": "\(error)"])
                }
            }
        }
    }

    /// What goes by this content hash, SHA-256, path or name.
    public func contents(matching reference: String) async throws -> [SharedContent] {
        let absolute = Self.absolute(reference)
        return try await self.contents.filter { content in
            content.contentHash.description == reference || content.sha256?.hex == reference || content.contentID == reference
                || content.path == absolute
        }
    }

    // MARK: Paths

    private static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }

    private static func name(of path: String) -> String {
        FileNameSanitizer.sanitized(URL(fileURLWithPath: path).lastPathComponent, fallback: "shared")
    }

    private static func exists(_ path: String, isDirectory: inout Bool) -> Bool {
        var directory: Bool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &directory)
        isDirectory = directory
        return exists
    }
}
