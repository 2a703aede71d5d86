import DIGContent
import DIGIdentity
import DIGStorage
import DIGTransfer
import Synchronization

/// Everything this node can serve: what somebody shared, and the downloads in progress with the chunks they have so far.
final class ContentRegistry: ContentProvider {
    private let shared: SharedContentStore
    private let downloads = Mutex<[ContentHash: @Sendable () async -> HostedContent?]>([:])
    private let changed: @Sendable (ContentHash) -> Void

    /// - Parameter changed: Told when a shared file is not the one that was hashed any more.
    init(shared: SharedContentStore, changed: @escaping @Sendable (ContentHash) -> Void) {
        self.shared = shared
        self.changed = changed
    }

    func add(_ hash: ContentHash, download: @escaping @Sendable () async -> HostedContent?) {
        self.downloads.withLock { $0[hash] = download }
    }

    func removeDownload(_ hash: ContentHash) {
        self.downloads.withLock { $0[hash] = nil }
    }

    func content(for hash: ContentHash) async throws -> HostedContent? {
        if let content = try await self.shared.content(for: hash) { return content }
        guard let download = self.downloads.withLock({ $0[hash] }) else { return nil }
        return await download()
    }

    func bindings(for key: BindingKey) async -> [SignedEnvelope] {
        await self.shared.bindings(for: key)
    }

    func contentChanged(_ hash: ContentHash) async {
        await self.shared.contentChanged(hash)
        self.changed(hash)
    }
}
