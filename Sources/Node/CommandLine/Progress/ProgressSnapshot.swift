/// What a transfer, or the hashing of a file, has come to.
public struct ProgressSnapshot: Hashable, Sendable {
    public var activity: Activity
    /// What it is about, as the other side or the file system calls it.
    public var name: String
    /// Verified or hashed bytes; for `.sharing` the bytes sent.
    public var byteCount: UInt64
    /// `nil` while unknown, and for `.sharing`.
    public var total: UInt64?
    /// Peers that take part.
    public var peers: Int?
    /// How the bytes travel: `TCP direct`, `relayed`.
    public var path: String?
    /// Why it is slow, or what is waited for. Shown in place of the path.
    public var note: String?

    public enum Activity: String, Hashable, Sendable {
        case hashing, receiving, sharing
    }

    public init(
        _ activity: Activity, name: String, byteCount: UInt64, total: UInt64? = nil, peers: Int? = nil, path: String? = nil,
        note: String? = nil
    ) {
        self.activity = activity
        self.name = name
        self.byteCount = byteCount
        self.total = total
        self.peers = peers
        self.path = path
        self.note = note
    }

    /// 0 … 1; `nil` without a total. Nothing to do is done.
    public var fraction: Double? {
        guard let total = self.total else { return nil }
        return total == 0 ? 1 : min(1, Double(self.byteCount) / Double(total))
    }

    /// Rounded down, so that 100 means complete.
    public var percent: Int? { self.fraction.map { Int($0 * 100) } }
}
