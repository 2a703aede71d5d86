import DIGContent

/// Makes hashes below the stored layer again, from the bytes of the file.
///
/// ```
///              stored layer      S        S        what is made again must lead to these: else the file has changed
///                             ┌──┴──┐  ┌──┴──┐
///                             ·     ·  ·     ·
///              asked for     h₀ h₁ h₂ …           hashed from the file, whole nodes of the stored layer at a time
/// ```
struct LowerLayerSegment {
    private let request: HashRequest
    private let prover: TreeProver
    private let layout: ChunkLayout
    /// Nodes of the layer asked for that are made: those asked for, and as many as lie below one stored node at least.
    private let nodes: Range<Int>

    /// - Parameter byteLimit: Of the file, read and hashed at most.
    /// - Throws: ``ContentError`` with `.geometryMismatch` if the tree has no such nodes, or they are too many.
    init(_ request: HashRequest, prover: TreeProver, byteLimit: Int) throws(ContentError) {
        let geometry = prover.geometry
        guard (0..<prover.lowestLayer).contains(request.layer), ChunkLayout.layers.contains(request.layer) else {
            throw ContentError(.geometryMismatch, "layer \(request.layer) is not below layer \(prover.lowestLayer)")
        }
        let padded = geometry.paddedNodeCount(atLayer: request.layer)
        guard request.count >= 1, request.count <= TransferLimits.maximumHashCount, request.count & (request.count - 1) == 0, request.count <= padded,
            request.index >= 0, request.index <= padded - request.count, request.index % request.count == 0,
            (0...geometry.height - request.layer).contains(request.proofLayers)
        else {
            throw ContentError(.geometryMismatch, "\(request.count) hashes from index \(request.index) are no subtree of layer \(request.layer)")
        }
        let perStoredNode = 1 << (prover.lowestLayer - request.layer)
        let count = max(request.count, perStoredNode)
        guard count <= byteLimit >> request.layer / TreeGeometry.blockByteCount else {
            throw ContentError(.geometryMismatch, "\(request.count) hashes of layer \(request.layer) are too many at once")
        }
        let start = request.index / count * count
        self.request = request
        self.prover = prover
        self.layout = try ChunkLayout(fileSize: geometry.fileSize, layer: request.layer)
        self.nodes = start..<start + count
    }

    /// - Parameter read: Fills the buffer from an offset of the file. Called in order, with at most 1 MiB at a time.
    /// - Throws: What `read` throws, or ``FileReadError`` with `.changed` if the bytes are not those that were hashed.
    func make(reading read: (UnsafeMutableRawBufferPointer, UInt64) throws(FileReadError) -> Void) throws(FileReadError) -> HashSegment {
        var rows = [try self.lowestRow(reading: read)]
        let stored = self.prover.lowestLayer
        while rows.count <= stored - self.request.layer, let row = rows.last {
            rows.append(stride(from: 0, to: row.count, by: 2).map { Self.parent(row[$0], row[$0 + 1]) })
        }
        let first = self.nodes.lowerBound >> (stored - self.request.layer)
        for (position, node) in (rows.last ?? []).enumerated() where self.prover.layer(stored)?.node(at: first + position) != node {
            throw .changed
        }

        let start = self.request.index - self.nodes.lowerBound
        let hashes = rows[0][start..<start + self.request.count].flatMap(\.bytes)
        let lowestUncle = self.request.layer + self.request.count.trailingZeroBitCount
        let uncles = (lowestUncle..<max(lowestUncle, self.request.layer + self.request.proofLayers)).compactMap { layer -> SHA256Digest? in
            let shift = layer - self.request.layer
            let uncle = (self.request.index >> shift) ^ 1
            return layer < stored ? rows[shift][uncle - self.nodes.lowerBound >> shift] : self.prover.layer(layer)?.node(at: uncle)
        }
        return HashSegment(layer: self.request.layer, index: self.request.index, count: self.request.count, hashes: hashes, uncles: uncles)
    }

    private func lowestRow(reading read: (UnsafeMutableRawBufferPointer, UInt64) throws(FileReadError) -> Void) throws(FileReadError) -> [SHA256Digest] {
        let existing = self.nodes.clamped(to: 0..<self.layout.chunkCount)
        var row: [SHA256Digest] = []
        row.reserveCapacity(self.nodes.count)
        let unit = self.layout.chunkByteCount
        let perRead = max(1, ChunkSlab.byteCount / unit)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: perRead * unit, alignment: 4096)
        defer { memory.deallocate() }
        var hasher = ChunkHasher()
        for start in stride(from: existing.lowerBound, to: existing.upperBound, by: perRead) {
            let chunks = start..<min(start + perRead, existing.upperBound)
            let offset = UInt64(chunks.lowerBound) * UInt64(unit)
            let end = min(UInt64(chunks.upperBound) * UInt64(unit), self.layout.fileSize)
            let bytes = UnsafeMutableRawBufferPointer(rebasing: memory[..<Int(end - offset)])
            try read(bytes, offset)
            var digests = [SHA256Digest](repeating: .zero, count: chunks.count)
            do throws(ContentError) {
                try digests.withUnsafeMutableBufferPointer { (digests) throws(ContentError) in
                    try hasher.hash(consecutive: UnsafeRawBufferPointer(bytes), layout: self.layout, into: digests)
                }
            } catch {
                // Not reached: the chunks are cut to the layout.
                throw .changed
            }
            row += digests
        }
        if row.count < self.nodes.count { row += Array(repeating: self.padding, count: self.nodes.count - row.count) }
        return row
    }

    /// The node above blocks that the file does not have (BEP 52).
    private var padding: SHA256Digest {
        (0..<self.request.layer).reduce(SHA256Digest.zero) { node, _ in Self.parent(node, node) }
    }

    private static func parent(_ left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
        withUnsafeBytes(of: (left, right)) { SHA256Digest(hashing: $0) }
    }
}
