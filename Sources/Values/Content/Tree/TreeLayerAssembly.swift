/// A layer that is being fetched in proven segments.
///
/// Memory grows with what has been proven, never with what somebody claims.
public struct TreeLayerAssembly: Sendable {
    public let descriptor: FileDescriptor
    public let layer: Int
    /// Nodes in each segment: a power of two.
    public let segmentCount: Int
    /// Segments with nodes that hold bytes of the file; the rest is padding and need not be fetched.
    public let requiredSegments: Int

    private let geometry: TreeGeometry
    /// Proven runs by index divided by `segmentCount`.
    private var segments: [Int: [UInt8]] = [:]

    /// - Parameter segmentCount: The wanted length of a run; smaller if the layer is narrower. A power of two, at most ``HashSegment/maximumCount``.
    /// - Throws: ``ContentError`` with `.geometryMismatch`.
    public init(descriptor: FileDescriptor, layer: Int, segmentCount: Int = 1024) throws(ContentError) {
        self.geometry = try TreeGeometry(fileSize: descriptor.size)
        self.descriptor = descriptor
        self.layer = layer
        self.segmentCount = max(1, min(segmentCount, self.geometry.paddedNodeCount(atLayer: layer)))
        _ = try HashSegment.uncleLayers(geometry: self.geometry, layer: layer, index: 0, count: self.segmentCount, proofLayers: 0)
        self.requiredSegments = (self.geometry.nodeCount(atLayer: layer) + self.segmentCount - 1) / self.segmentCount
    }

    public var isComplete: Bool { self.segments.count == self.requiredSegments }

    /// The index of the first node of every segment still missing, in order.
    public var missingIndices: [Int] {
        (0..<self.requiredSegments).filter { self.segments[$0] == nil }.map { $0 * self.segmentCount }
    }

    /// The index of the first node of the segment that contains node `node`.
    public func segmentIndex(forNode node: Int) -> Int { node / self.segmentCount * self.segmentCount }

    /// Verifies and keeps a segment.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` or `.proofMismatch`; nothing is kept then.
    public mutating func insert(_ segment: HashSegment) throws(ContentError) {
        guard segment.layer == self.layer, segment.count == self.segmentCount, segment.index >= 0,
            segment.index / self.segmentCount < self.requiredSegments
        else {
            throw ContentError(.geometryMismatch, "\(segment.count) hashes from index \(segment.index) of layer \(segment.layer) were not asked for")
        }
        try segment.verify(against: self.descriptor)
        self.segments[segment.index / self.segmentCount] = segment.hashes
    }

    /// The node at `index`, once proven.
    public func node(at index: Int) -> SHA256Digest? {
        guard index >= 0, index < self.geometry.nodeCount(atLayer: self.layer), let run = self.segments[index / self.segmentCount] else { return nil }
        return run.withUnsafeBytes { bytes in
            bytes.baseAddress.map { SHA256Digest(loadingFrom: $0 + index % self.segmentCount * SHA256Digest.byteCount) }
        }
    }

    /// The whole layer, once complete.
    public func finished() -> TreeLayer? {
        guard self.isComplete else { return nil }
        let byteCount = self.geometry.nodeCount(atLayer: self.layer) * SHA256Digest.byteCount
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        for index in 0..<self.requiredSegments {
            bytes.append(contentsOf: (self.segments[index] ?? []).prefix(byteCount - bytes.count))
        }
        return TreeLayer(geometry: self.geometry, layer: self.layer, checkedBytes: bytes)
    }
}
