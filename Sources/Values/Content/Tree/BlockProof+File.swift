extension BlockProof {
    /// Makes a proof from a shared file. Reads up to one chunk and blocks; call it on a thread that may.
    ///
    /// - Parameter stamp: The file as it was hashed.
    /// - Throws: ``ContentError`` with `.fileUnreadable`, `.notARegularFile`, `.fileChanged`, `.geometryMismatch` or `.proofMismatch`, see
    ///   ``init(block:bytes:prover:)``.
    public init(block: Int, fileAt path: String, stamp: FileStamp, prover: TreeProver) throws(ContentError) {
        let range = try Self.requiredBytes(block: block, geometry: prover.geometry, lowestLayer: prover.lowestLayer)
        let byteCount = Int(range.upperBound - range.lowerBound)
        guard byteCount <= ChunkLayout.maximumChunkByteCount else {
            throw ContentError(.geometryMismatch, "proving a block from layer \(prover.lowestLayer) takes \(byteCount) bytes; store a lower layer")
        }
        let file = try ReadableFile(path: path)
        guard file.stamp == stamp else {
            throw ContentError(.fileChanged, "\(DisplayText.escaped(path)) changed since it was hashed")
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
        defer { buffer.deallocate() }
        try file.read(into: buffer, at: range.lowerBound)
        try self.init(block: block, bytes: UnsafeRawBufferPointer(buffer), prover: prover)
    }
}
