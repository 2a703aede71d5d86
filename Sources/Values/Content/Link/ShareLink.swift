public import DIGMultiformats

/// What one person gives to another to fetch content.
///
/// ```
/// dig:bciq…?size=1048576&root=<64 hex>&name=holiday.mp4&sha256=<64 hex>&peer=/ip4/…/p2p/…&peer=…
/// dig:bciq…?kind=folder&name=holiday&token=dig-token-…
/// ```
///
/// Everything after the content hash is optional. `size` and `root` together are the file's descriptor and must hash to the content hash,
/// then the transfer starts without asking for it. `name` is a proposal; it is one safe file name. `sha256` is the plain SHA-256 of the
/// file, not proven by the content hash. `peer` says who may have it, up to 16 times. `token` is a permission of the one who made the link, shown to
/// that holder; what is in it is not looked at here. Parameters that are not known are ignored.
public struct ShareLink: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case file, folder
    }

    public static let scheme = "dig"
    /// 4 KiB.
    public static let maximumByteCount = 4096
    public static let maximumPeerCount = 16
    /// Leaves room for the rest of a link.
    public static let maximumTokenByteCount = 3072

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
    /// A holder's permission: letters, digits, `-`, `_`, `.` and `~`. Whoever sees the link may see it.
    public let token: String?

    /// - Throws: ``ContentError`` with `.invalidParameter`; the message names the parameter and says why.
    public init(
        contentHash: ContentHash, kind: Kind = .file, size: UInt64? = nil, root: SHA256Digest? = nil, name: String? = nil,
        sha256: SHA256Digest? = nil, peers: [Multiaddr] = [], token: String? = nil
    ) throws(ContentError) {
        if let token {
            guard (1...Self.maximumTokenByteCount).contains(token.utf8.count), token.utf8.allSatisfy(Self.isTokenCharacter) else {
                throw Self.invalid("token", "it has 1 to \(Self.maximumTokenByteCount) letters, digits and -_.~")
            }
        }
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
        self.token = token
    }

    /// RFC 3986 §2.3: what need not be percent-encoded.
    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~"): true
        default: false
        }
    }

    /// The same link with another token, or none.
    ///
    /// - Throws: ``ContentError`` with `.invalidParameter`.
    public func withToken(_ token: String?) throws(ContentError) -> ShareLink {
        try ShareLink(
            contentHash: self.contentHash, kind: self.kind, size: self.size, root: self.root, name: self.name, sha256: self.sha256, peers: self.peers, token: token)
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
