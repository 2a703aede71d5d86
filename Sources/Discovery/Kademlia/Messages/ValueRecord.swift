/// A value as it travels (kad-dht r2, `Record`).
struct ValueRecord: Hashable, Sendable {
    var key: [UInt8]
    var value: [UInt8]
    /// RFC 3339, set by whoever stored it; nothing depends on it here.
    var timeReceived: String = ""
}
