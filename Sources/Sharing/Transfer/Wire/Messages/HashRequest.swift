/// Asks for consecutive nodes of one layer of the tree, with the uncles that prove them.
struct HashRequest: Hashable, Sendable {
    /// 0 = the blocks of 16 KiB.
    var layer: Int
    var index: Int
    /// 1 … ``TransferLimits/maximumHashCount``.
    var count: Int
    /// How many uncles are wanted; 0 if the layers above are known already.
    var proofLayers: Int
}
