public import DIGMultiformats

/// What one person gives to another to fetch content.
///
/// ```
/// dig:bciq…?size=1048576&root=<64 hex>&name=holiday.mp4&sha256=<64 hex>&peer=/ip4/…/p2p/…&peer=…
/// dig:bciq…?kind=folder&name=holiday
/// ```
///
/// Everything after the content hash is optional. `size` and `root` together are the file's descriptor and must hash to the content hash,
/// then the transfer starts without asking for it. `name` is a proposal; it is one safe file name. `sha256` is the plain SHA-256 of the
/// file, not proven by the content hash. `peer` says who may have it, up to 16 times. Parameters that are not known are ignored.
public struct ShareLink: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case file, folder
    }

    public static let scheme = "dig"
    /// 4 KiB.
    public static let maximumByteCount = 4096
    public static let maximumPeerCount = 16

    public let contentHash: ContentHash
    public let kind: Kind
    /// Bytes of the file, proven only together with `root`; for a folder, of all its files together, never proven.
    public let size: UInt64?
    /// Root of the file's hash tree.
    public let root: SHA256Digest?
    /// A safe file name, proposed by whoever made the link.
    public let name: String?
    /// The plain SHA-256 of the file.
    public let sha256: SHA256Digest?
    public let peers: [Multiaddr]

    /// - Throws: ``ContentError`` with `.invalidParameter`; the message names the parameter and says why.
    public init(
        contentHash: ContentHash, kind: Kind = .file, size: UInt64? = nil, root: SHA256Digest? = nil, name: String? = nil,
        sha256: SHA256Digest? = nil, peers: [Multiaddr] = []
    ) throws(ContentError) {
        if kind == .folder {
            guard root == nil else { throw Self.invalid("root", "a folder has none") }
            guard sha256 == nil else { throw Self.invalid("sha256", "a folder has none") }
        } else if let size {
            guard size <= FileDescriptor.maximumSize else {
                throw Self.invalid("size", "\(size) is above \(FileDescriptor.maximumSize), the largest file")
            }
            if let root {
                do {
                    _ = try FileDescriptor(size: size, root: root, expecting: contentHash)
                } catch {
                    throw ContentError(.invalidParameter, "link parameters \"size\" and \"root\" do not belong to the content hash", cause: error)
                }
            }
        }
        if let name {
            do {
                _ = try SafePath(fileName: name)
            } catch {
                throw ContentError(.invalidParameter, "link parameter \"name\" is no safe file name", cause: error)
            }
        }
        guard peers.count <= Self.maximumPeerCount else {
            throw Self.invalid("peer", "it occurs \(peers.count) times, at most \(Self.maximumPeerCount) are allowed")
        }
        self.contentHash = contentHash
        self.kind = kind
        self.size = size
        self.root = root
        self.name = name
        self.sha256 = sha256
        self.peers = peers
    }

    /// A link to a file with its descriptor.
    ///
    /// - Throws: ``ContentError`` with `.invalidParameter`.
    public init(descriptor: FileDescriptor, name: String? = nil, sha256: SHA256Digest? = nil, peers: [Multiaddr] = []) throws(ContentError) {
        try self.init(
            contentHash: descriptor.contentHash, size: descriptor.size, root: descriptor.root, name: name, sha256: sha256, peers: peers)
    }

    /// The file's descriptor, if the link has both `size` and `root`.
    public var descriptor: FileDescriptor? {
        guard self.kind == .file, let size, let root else { return nil }
        return try? FileDescriptor(size: size, root: root, expecting: self.contentHash)
    }

    static func invalid(_ parameter: String, _ reason: String) -> ContentError {
        ContentError(.invalidParameter, "link parameter \"\(DisplayText.escaped(String(parameter.prefix(40))))\": \(reason)")
    }
}
