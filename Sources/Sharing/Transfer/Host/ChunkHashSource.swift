public import DIGContent

/// Where the hashes of a hosted file come from.
public protocol ChunkHashSource: Sendable {
    /// The stored layer of the tree. Called on a thread pool, may block; the host keeps what it uses in a bounded cache.
    ///
    /// - Throws: If it cannot be read, or is not complete yet.
    func storedLayer() throws -> TreeLayer
}

/// A layer in memory.
extension TreeLayer: ChunkHashSource {
    /// Itself.
    public func storedLayer() -> TreeLayer { self }
}
