/// A run of nodes of one layer and the uncles that connect it to the root (BEP 52, "hashes").
///
/// ```
///              root
///          ┌────┴────┐
///          ·         U₁       U₀, U₁: uncles, lowest first
///       ┌──┴──┐
///       ·     U₀
///     ┌─┴─┐
///     h₀  h₁                  the run: count = 2, index = 0
/// ```
public struct HashSegment: Hashable, Sendable {
    /// The longest run: 128 KiB of hashes, below the bound of a control frame.
    public static let maximumCount = 4096

    public let layer: Int
    /// The first node; a multiple of `count`.
    public let index: Int
    /// A power of two.
    public let count: Int
    /// `count` × 32 bytes.
    public let hashes: [UInt8]
    /// One per layer from `layer + log2(count)` up, lowest first.
    public let uncles: [SHA256Digest]

    /// Takes what a peer sent; nothing is checked before ``verify(against:)``.
    public init(layer: Int, index: Int, count: Int, hashes: [UInt8], uncles: [SHA256Digest]) {
        self.layer = layer
        self.index = index
        self.count = count
        self.hashes = hashes
        self.uncles = uncles
    }

    /// The layers that need an uncle, after checking that the request fits the tree; `proofLayers` is `nil` for up to the root.
    static func uncleLayers(
        geometry: TreeGeometry, layer: Int, index: Int, count: Int, proofLayers: Int?
    ) throws(ContentError) -> Range<Int> {
        guard layer >= 0, layer <= geometry.height else {
            throw ContentError(.geometryMismatch, "the tree has layers 0 to \(geometry.height), not \(layer)")
        }
        guard count >= 1, count <= Self.maximumCount, count & (count - 1) == 0 else {
            throw ContentError(.geometryMismatch, "the count of hashes is a power of two up to \(Self.maximumCount), not \(count)")
        }
        let padded = geometry.paddedNodeCount(atLayer: layer)
        guard count <= padded, index >= 0, index <= padded - count, index % count == 0 else {
            throw ContentError(.geometryMismatch, "\(count) hashes from index \(index) are no subtree of layer \(layer), which has \(padded) nodes")
        }
        let proofLayers = proofLayers ?? geometry.height - layer
        guard proofLayers >= 0, proofLayers <= geometry.height - layer else {
            throw ContentError(.geometryMismatch, "there are \(geometry.height - layer) layers above layer \(layer), not \(proofLayers)")
        }
        let first = layer + count.trailingZeroBitCount
        return first..<max(first, layer + proofLayers)
    }

    /// Proves every hash of the run to be a node of the file's tree.
    ///
    /// The geometry is checked first, against the descriptor, so that the work is bounded by what was asked for.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` or `.proofMismatch`; either means that the sender broke the protocol.
    public func verify(against descriptor: FileDescriptor) throws(ContentError) {
        let geometry = try TreeGeometry(fileSize: descriptor.size)
        guard geometry.blockCount > 0 else {
            throw ContentError(.geometryMismatch, "an empty file has no hashes")
        }
        let uncleLayers = try Self.uncleLayers(
            geometry: geometry, layer: self.layer, index: self.index, count: self.count, proofLayers: nil)
        guard self.hashes.count == self.count * SHA256Digest.byteCount else {
            throw ContentError(.geometryMismatch, "\(self.count) hashes are \(self.count * SHA256Digest.byteCount) bytes, these are \(self.hashes.count)")
        }
        guard self.uncles.count == uncleLayers.count else {
            throw ContentError(.geometryMismatch, "\(uncleLayers.count) uncles lead to the root, these are \(self.uncles.count)")
        }
        let node = SHA256Digest.subtreeRoot(ofRow: self.hashes)
        let root = Self.climb(from: node, index: self.index >> self.count.trailingZeroBitCount, uncles: self.uncles)
        guard root == descriptor.root else {
            throw ContentError(.proofMismatch, "\(self.count) hashes from index \(self.index) of layer \(self.layer) do not lead to root \(descriptor.root)")
        }
    }

    /// The ancestor reached from `node` at `index` of its layer.
    static func climb(from node: SHA256Digest, index: Int, uncles: [SHA256Digest]) -> SHA256Digest {
        var node = node
        var index = index
        for uncle in uncles {
            node = index & 1 == 0 ? SHA256Digest.node(node, uncle) : SHA256Digest.node(uncle, node)
            index >>= 1
        }
        return node
    }

    /// The hash at `position` of the run; `nil` outside it.
    public func hash(at position: Int) -> SHA256Digest? {
        guard position >= 0, position < self.count, position < self.hashes.count / SHA256Digest.byteCount else { return nil }
        return self.hashes.withUnsafeBytes { bytes in
            bytes.baseAddress.map { SHA256Digest(loadingFrom: $0 + position * SHA256Digest.byteCount) }
        }
    }
}
