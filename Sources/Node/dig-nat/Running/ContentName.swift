import DIGCommandLine
import DIGContent
import DIGStorage

/// What a person calls a content that this node knows.
enum ContentName {
    /// A content hash, a link, or the name or path of something that is shared here.
    ///
    /// - Throws: ``CommandFailure`` if it is none of them, or means several contents.
    static func hash(_ text: String, in database: NodeDatabase) async throws -> ContentHash {
        let store = SharedContentStore(database: database)
        var shares = try await store.shares(atPathOrContentID: text)
        if shares.isEmpty { shares = try await store.shares(atPathOrContentID: LocalPath.absolute(text)) }
        let hashes = Set(shares.map(\.contentHash)).sorted()
        if hashes.count == 1 { return hashes[0] }
        guard hashes.isEmpty else {
            throw CommandFailure(.notFound, "\(text) means several contents", details: hashes.map { "\($0)" }, next: "name one of them by its hash")
        }
        switch try ContentReference(parsing: text) {
        case .link(let link): return link.contentHash
        case .contentHash(let hash): return hash
        case .sha256(let digest):
            if let hash = try await self.shared(with: digest, in: store) { return hash }
        case .name: break
        }
        throw CommandFailure(.notFound, "\(text) is nothing that is shared here", next: "name it by its content hash; see what is shared with: dig-nat ls")
    }

    private static func shared(with digest: SHA256Digest, in store: SharedContentStore) async throws -> ContentHash? {
        for share in try await store.shares() where share.kind == .file {
            if try await store.files(of: share.contentHash).contains(where: { $0.sha256 == digest }) { return share.contentHash }
        }
        return nil
    }
}
