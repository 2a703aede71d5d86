/// How far the hashing of a file has come.
public struct HashProgress: Hashable, Sendable {
    /// Bytes hashed.
    public var completed: UInt64
    /// Bytes in the file.
    public var total: UInt64

    public init(completed: UInt64, total: UInt64) {
        self.completed = completed
        self.total = total
    }

    /// 0 to 1; 1 for an empty file.
    public var fraction: Double { self.total == 0 ? 1 : Double(self.completed) / Double(self.total) }
}
