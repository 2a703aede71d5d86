import DIGContent

/// Nodes of the tree, to be proven against the root before any use.
struct HashAnswer: Hashable, Sendable {
    var layer: Int
    var index: UInt64
    /// 1 … ``TransferLimits/maximumHashCount``.
    var hashes: [SHA256Digest]
    /// From the bottom up.
    var uncles: [SHA256Digest]
}
