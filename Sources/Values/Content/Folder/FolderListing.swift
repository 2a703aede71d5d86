/// The files of a folder: relative path and descriptor of each, in one canonical form.
///
/// ```
/// "dig-folder-v1\0"                       14 bytes
/// count of entries                        UInt32 big-endian
/// for each entry, in ascending order of the UTF-8 bytes of its path:
///   bytes of the path                     UInt16 big-endian, 1 to 4096
///   path, "/" between components          UTF-8, see SafePath
///   size of the file                      UInt64 big-endian
///   root of its hash tree                 32 bytes
/// ```
///
/// The content hash of the folder is the SHA-256 of these bytes. No path appears twice, and no path is both a file and a folder.
/// Empty folders, permissions and times are not part of it.
public struct FolderListing: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public let path: SafePath
        public let descriptor: FileDescriptor

        public init(path: SafePath, descriptor: FileDescriptor) {
            self.path = path
            self.descriptor = descriptor
        }
    }

    public static let maximumEntryCount = 1_000_000
    /// 16 MiB.
    public static let maximumByteCount = 16 << 20

    static let prefix = Array("dig-folder-v1\0".utf8)
    /// Path length, one byte of path, size and root.
    static let minimumEntryByteCount = 2 + 1 + 8 + SHA256Digest.byteCount

    /// In ascending order of the UTF-8 bytes of the path.
    public let entries: [Entry]
    public let contentHash: ContentHash

    /// Sorts `entries` and checks them.
    ///
    /// - Throws: ``ContentError`` with `.listingTooLarge`, or `.malformedListing` if a path occurs twice or is both file and folder.
    public init(entries: some Sequence<Entry>) throws(ContentError) {
        let entries = Array(entries)
        try Self.checkSize(entries)
        try self.init(sorted: entries.sorted { $0.path < $1.path })
    }

    /// `entries` are in ascending order.
    init(sorted entries: [Entry]) throws(ContentError) {
        try Self.checkSize(entries)
        try Self.checkPaths(entries)
        self.entries = entries
        self.contentHash = ContentHash(digest: SHA256Digest(hashing: Self.encode(entries)))
    }

    /// The bytes of all files. At most 2⁵⁹: the count of entries is bounded by the bytes of the listing.
    public var totalByteCount: UInt64 { self.entries.reduce(0) { $0 + $1.descriptor.size } }

    /// The entry with the given path.
    ///
    /// - Complexity: O(log n).
    public func entry(at path: SafePath) -> Entry? {
        var low = 0
        var high = self.entries.count
        while low < high {
            let middle = (low + high) / 2
            if self.entries[middle].path < path { low = middle + 1 } else { high = middle }
        }
        return low < self.entries.count && self.entries[low].path == path ? self.entries[low] : nil
    }

    private static func checkSize(_ entries: [Entry]) throws(ContentError) {
        guard entries.count <= self.maximumEntryCount else {
            throw ContentError(.listingTooLarge, "a folder may have \(self.maximumEntryCount) files, this one has \(entries.count)")
        }
        let byteCount = entries.reduce(self.prefix.count + 4) { $0 + self.minimumEntryByteCount - 1 + $1.path.string.utf8.count }
        guard byteCount <= self.maximumByteCount else {
            throw ContentError(.listingTooLarge, "a folder listing may have \(self.maximumByteCount) bytes, this one has \(byteCount)")
        }
    }

    private static func checkPaths(_ entries: [Entry]) throws(ContentError) {
        for (previous, next) in zip(entries, entries.dropFirst()) where !(previous.path < next.path) {
            let reason = previous.path == next.path ? "occurs twice" : "is out of order"
            throw ContentError(.malformedListing, "the path \"\(next.path.displayText)\" \(reason)")
        }
        // "a" and "a/b" need not be neighbours: "a-b" sorts between them. So every folder is looked up among the files.
        let files = Set(entries.lazy.map { Array($0.path.string.utf8) })
        var previous: [UInt8] = []
        for entry in entries {
            let path = Array(entry.path.string.utf8)
            // Folders shared with the path before have been looked up already.
            var position = zip(path, previous).prefix { $0 == $1 }.count
            while let slash = path[position...].firstIndex(of: UInt8(ascii: "/")) {
                guard !files.contains(Array(path[..<slash])) else {
                    throw ContentError(.malformedListing, "the path \"\(DisplayText.escaped(String(decoding: path[..<slash], as: UTF8.self)))\" is both a file and a folder")
                }
                position = slash + 1
            }
            previous = path
        }
    }
}
