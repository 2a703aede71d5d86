import DIGContent

extension SavedTransfer {
    /// The same state in chunks of another size: a larger chunk counts if all its parts do.
    ///
    /// - Returns: Nil if the state contradicts itself, or the layer does not exist: then the download begins with what is on disk.
    func converted(toChunkLayer layer: Int) -> SavedTransfer? {
        let old: ChunkLayout
        let new: ChunkLayout
        do {
            old = try ChunkLayout(fileSize: self.descriptor.size, layer: self.chunkLayer)
            new = try ChunkLayout(fileSize: self.descriptor.size, layer: layer)
        } catch {
            return nil
        }
        guard self.verified.count == old.chunkCount, new.chunkCount <= DownloadStateMachine.maximumChunkCount else { return nil }
        var verified = ChunkBitmap(count: new.chunkCount)
        for run in self.verified.ranges {
            let start = UInt64(run.lowerBound) * UInt64(old.chunkByteCount)
            let end = min(UInt64(run.upperBound) * UInt64(old.chunkByteCount), old.fileSize)
            let unit = UInt64(new.chunkByteCount)
            let first = Int((start + unit - 1) / unit)
            let last = end == new.fileSize ? new.chunkCount : Int(end / unit)
            if first < last { verified.insert(first..<last) }
        }
        return SavedTransfer(
            descriptor: self.descriptor, chunkLayer: layer, destination: self.destination, verified: verified,
            chunkHashes: self.chunkHashes.flatMap { Self.converted($0, from: old, to: new) })
    }

    /// Hashes of larger chunks follow from those of smaller ones.
    private static func converted(_ hashes: [UInt8], from old: ChunkLayout, to new: ChunkLayout) -> [UInt8]? {
        do throws(ContentError) {
            return try TreeLayer(fileSize: old.fileSize, layer: old.treeLayer, rawBytes: hashes).higher(new.treeLayer).rawBytes
        } catch {
            // Those of smaller chunks do not: they are asked for.
            return nil
        }
    }
}
