import DIGContent
import DIGMultiformats

/// A reference resolved to a content hash, with what is known about it from elsewhere.
struct FetchTarget {
    var contentHash: ContentHash
    var kind: ShareLink.Kind?
    var descriptor: FileDescriptor?
    /// A safe file name.
    var name: String?
    /// Demanded of the whole file.
    var sha256: SHA256Digest?
    /// Who vouched that ``sha256`` belongs to the content.
    var sha256Source: String?
    var peers: [Multiaddr] = []
    /// A permission, as the link has it.
    var token: String?

    init(contentHash: ContentHash) {
        self.contentHash = contentHash
    }

    /// What a plain SHA-256 means by the word of whoever has signed that.
    init(binding: NameBinding, sha256: SHA256Digest) {
        self.contentHash = binding.contentHash
        self.kind = .file
        self.sha256 = sha256
        self.sha256Source = "\(binding.signer.peerID)"
    }

    init(link: ShareLink) {
        self.contentHash = link.contentHash
        // A bare `dig:<hash>` says nothing about the kind.
        self.kind = link.kind == .folder ? .folder : (link.root == nil ? nil : .file)
        self.name = link.name
        self.peers = link.peers
        self.token = link.token
        if let size = link.size, let root = link.root {
            // The link was checked when it was parsed: this can't fail.
            self.descriptor = try? FileDescriptor(size: size, root: root, expecting: link.contentHash)
        }
    }
}
