/// The identity of one file: its size and the root of its hash tree.
///
/// The root alone does not bind the length (64 bytes can equal two inner nodes), so content is called by
/// `SHA-256("dig-file-v1\0" || size as UInt64 big-endian || root)`: 12 + 8 + 32 bytes.
public struct FileDescriptor: Hashable, Sendable {
    /// 1 TiB.
    public static let maximumSize: UInt64 = 1 << 40

    private static let prefix = Array("dig-file-v1\0".utf8)

    /// In bytes.
    public let size: UInt64
    /// BEP 52 "pieces root"; 32 zero bytes for the empty file.
    public let root: SHA256Digest
    public let contentHash: ContentHash

    /// - Throws: ``ContentError`` with `.fileTooLarge`, or `.invalidDescriptor` if an empty file has a root other than zero.
    public init(size: UInt64, root: SHA256Digest) throws(ContentError) {
        guard size <= Self.maximumSize else {
            throw ContentError(.fileTooLarge, "a file may have \(Self.maximumSize) bytes, this one has \(size)")
        }
        guard size > 0 || root == .zero else {
            throw ContentError(.invalidDescriptor, "the root of an empty file is 32 zero bytes, this one is \(root)")
        }
        self.size = size
        self.root = root
        let sizeBytes = (0..<8).map { UInt8(truncatingIfNeeded: size >> (56 - 8 * $0)) }
        self.contentHash = ContentHash(digest: SHA256Digest(hashing: Self.prefix + sizeBytes + root.bytes))
    }

    /// A descriptor that a stranger sent, checked against the hash that was asked for.
    ///
    /// - Throws: As ``init(size:root:)``, and `.invalidDescriptor` if it belongs to another content hash.
    public init(size: UInt64, root: SHA256Digest, expecting contentHash: ContentHash) throws(ContentError) {
        try self.init(size: size, root: root)
        guard self.contentHash == contentHash else {
            throw ContentError(.invalidDescriptor, "size \(size) and root \(root) belong to \(self.contentHash), not to \(contentHash)")
        }
    }
}
