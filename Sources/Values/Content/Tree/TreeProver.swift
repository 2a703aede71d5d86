/// One stored layer with all layers above it, to answer hash requests without hashing.
///
/// Takes about twice the memory of the layer: 5 MiB for a file of 5 GiB in 64 KiB chunks.
public struct TreeProver: Sendable {
    /// From the stored layer up to the root.
    private let layers: [TreeLayer]

    public init(_ lowest: TreeLayer) {
        var layers = [lowest]
        while let next = layers[layers.count - 1].next() { layers.append(next) }
        self.layers = layers
    }

    public var geometry: TreeGeometry { self.layers[0].geometry }

    /// The lowest layer that can be served.
    public var lowestLayer: Int { self.layers[0].layer }

    public var root: SHA256Digest { self.layers[self.layers.count - 1].root() }

    /// The given layer; `nil` if it is below the stored one or above the root.
    public func layer(_ layer: Int) -> TreeLayer? {
        let offset = layer.subtractingReportingOverflow(self.lowestLayer)
        guard !offset.overflow, self.layers.indices.contains(offset.partialValue) else { return nil }
        return self.layers[offset.partialValue]
    }

    /// As ``TreeLayer/segment(index:count:proofLayers:)``, for any layer from the stored one up.
    public func segment(layer: Int, index: Int, count: Int, proofLayers: Int? = nil) throws(ContentError) -> HashSegment {
        guard let base = self.layer(layer) else {
            throw ContentError(.geometryMismatch, "layers \(self.lowestLayer) to \(self.geometry.height) can be served, not \(layer)")
        }
        let uncleLayers = try HashSegment.uncleLayers(
            geometry: self.geometry, layer: layer, index: index, count: count, proofLayers: proofLayers)

        var hashes: [UInt8] = []
        hashes.reserveCapacity(count * SHA256Digest.byteCount)
        let stored = max(0, min(count, base.nodeCount - index))
        if stored > 0 {
            hashes.append(contentsOf: base.rawBytes[index * SHA256Digest.byteCount..<(index + stored) * SHA256Digest.byteCount])
        }
        let padding = TreeGeometry.paddingHash(atLayer: layer).bytes
        for _ in stored..<count { hashes.append(contentsOf: padding) }

        let uncles = uncleLayers.compactMap { uncleLayer in
            self.layer(uncleLayer)?.node(at: (index >> (uncleLayer - layer)) ^ 1)
        }
        return HashSegment(layer: layer, index: index, count: count, hashes: hashes, uncles: uncles)
    }

    /// The siblings of the path from node `index` of `layer` up to the root.
    func uncles(layer: Int, index: Int) -> [SHA256Digest] {
        (layer..<max(layer, self.geometry.height)).compactMap { self.layer($0)?.node(at: (index >> ($0 - layer)) ^ 1) }
    }
}
