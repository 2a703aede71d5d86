import CDIGSHA256

/// All nodes of one layer of a file's hash tree: what a holder keeps to serve proofs, and a downloader to check chunks.
///
/// Padding nodes are not stored, they follow from the geometry. The raw form is the nodes one after the other, 32 bytes each.
public struct TreeLayer: Hashable, Sendable {
    public let geometry: TreeGeometry
    /// 0 for the leaves, `geometry.height` for the root.
    public let layer: Int
    /// `nodeCount` × 32 bytes.
    public let rawBytes: [UInt8]

    /// A layer from its raw form, as read from disk. The bytes are taken as they are; see ``verify(against:)``.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` if there is no such layer or the count of bytes is wrong, or `.fileTooLarge`.
    public init(fileSize: UInt64, layer: Int, rawBytes: [UInt8]) throws(ContentError) {
        let geometry = try TreeGeometry(fileSize: fileSize)
        guard layer >= 0, layer <= geometry.height else {
            throw ContentError(.geometryMismatch, "the tree has layers 0 to \(geometry.height), not \(layer)")
        }
        let expected = geometry.nodeCount(atLayer: layer) * SHA256Digest.byteCount
        guard rawBytes.count == expected else {
            throw ContentError(.geometryMismatch, "layer \(layer) of a file of \(fileSize) bytes is \(expected) bytes, these are \(rawBytes.count)")
        }
        self.geometry = geometry
        self.layer = layer
        self.rawBytes = rawBytes
    }

    /// For our own results, whose counts are right.
    init(geometry: TreeGeometry, layer: Int, checkedBytes: [UInt8]) {
        self.geometry = geometry
        self.layer = layer
        self.rawBytes = checkedBytes
    }

    /// The nodes stored.
    public var nodeCount: Int { self.geometry.nodeCount(atLayer: self.layer) }

    /// The node at `index`; nodes after the end of the file are padding. `nil` outside the padded tree.
    public func node(at index: Int) -> SHA256Digest? {
        guard index >= 0, index < self.geometry.paddedNodeCount(atLayer: self.layer) else { return nil }
        return self.existingNode(at: index)
    }

    private func existingNode(at index: Int) -> SHA256Digest {
        guard index < self.nodeCount else { return TreeGeometry.paddingHash(atLayer: self.layer) }
        return self.rawBytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return .zero }
            return SHA256Digest(loadingFrom: base + index * SHA256Digest.byteCount)
        }
    }

    /// The layer above; `nil` at the root.
    public func next() -> TreeLayer? {
        guard self.layer < self.geometry.height else { return nil }
        let pairCount = self.nodeCount / 2
        let parentCount = self.geometry.nodeCount(atLayer: self.layer + 1)
        let bytes = [UInt8](unsafeUninitializedCapacity: parentCount * SHA256Digest.byteCount) { parents, initializedCount in
            self.rawBytes.withUnsafeBufferPointer { dig_sha256_pairs($0.baseAddress, pairCount, parents.baseAddress) }
            if parentCount > pairCount {
                let last = SHA256Digest.node(self.existingNode(at: self.nodeCount - 1), TreeGeometry.paddingHash(atLayer: self.layer))
                last.withUnsafeBytes { UnsafeMutableRawBufferPointer(parents)[(pairCount * SHA256Digest.byteCount)...].copyBytes(from: $0) }
            }
            initializedCount = parentCount * SHA256Digest.byteCount
        }
        return TreeLayer(geometry: self.geometry, layer: self.layer + 1, checkedBytes: bytes)
    }

    /// The same tree at a higher layer.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` if `layer` is below this one or above the root.
    public func higher(_ layer: Int) throws(ContentError) -> TreeLayer {
        guard layer >= self.layer, layer <= self.geometry.height else {
            throw ContentError(.geometryMismatch, "layer \(layer) cannot be derived from layer \(self.layer) of a tree of height \(self.geometry.height)")
        }
        var result = self
        while result.layer < layer, let next = result.next() { result = next }
        return result
    }

    /// The root of the tree; 32 zero bytes for the empty file.
    public func root() -> SHA256Digest {
        var top = self
        while let next = top.next() { top = next }
        return top.existingNode(at: 0)
    }

    public func descriptor() throws(ContentError) -> FileDescriptor {
        try FileDescriptor(size: self.geometry.fileSize, root: self.root())
    }

    /// Checks that this layer leads to the root of `descriptor`.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` if it is the layer of a file of another size, or `.proofMismatch`.
    public func verify(against descriptor: FileDescriptor) throws(ContentError) {
        guard descriptor.size == self.geometry.fileSize else {
            throw ContentError(.geometryMismatch, "the layer is of a file of \(self.geometry.fileSize) bytes, the descriptor says \(descriptor.size)")
        }
        let root = self.root()
        guard root == descriptor.root else {
            throw ContentError(.proofMismatch, "layer \(self.layer) leads to root \(root), not to \(descriptor.root)")
        }
    }

    /// A run of nodes with the uncles that prove it (BEP 52, "hash request").
    ///
    /// - Parameters:
    ///   - index: The first node, a multiple of `count`.
    ///   - count: A power of two, at most ``HashSegment/maximumCount``. Nodes after the end of the file are padding hashes.
    ///   - proofLayers: How many layers above this one to prove; `nil` for up to the root. The layers inside the run need no uncle.
    /// - Throws: ``ContentError`` with `.geometryMismatch`. Nothing is allocated then.
    /// - Complexity: The layers above are computed on the way: O(nodes). A holder that answers many requests keeps a ``TreeProver``.
    public func segment(index: Int, count: Int, proofLayers: Int? = nil) throws(ContentError) -> HashSegment {
        try TreeProver(self).segment(layer: self.layer, index: index, count: count, proofLayers: proofLayers)
    }
}
