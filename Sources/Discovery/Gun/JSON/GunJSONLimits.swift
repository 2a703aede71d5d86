/// What the reader of JSON allocates at most.
struct GunJSONLimits: Hashable, Sendable {
    /// Arrays and objects inside each other. GUN's own messages need six: batch, message, `put`, node, `_`, `>`.
    var depth = 12
    /// Members and elements in all.
    var valueCount = 20_000
    /// Bytes of UTF-8 of one string.
    var stringByteCount = 65_536
    /// The same for the name of a member.
    var nameByteCount = 1_024
}
