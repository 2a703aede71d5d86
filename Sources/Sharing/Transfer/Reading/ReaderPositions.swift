import DIGContent

/// How far the readers of a download are, what each may have next, and which chunks they wait for.
struct ReaderPositions: Sendable {
    /// What a reader may have.
    enum Next: Hashable, Sendable {
        /// Proven bytes, at most ``VerifiedPiece/maximumByteCount``. `leavesChunk`: the chunks that the reader waits for are others now.
        case piece(Range<UInt64>, leavesChunk: Bool)
        /// The chunk at its position is not proven yet.
        case wait
        /// It has everything, or is gone.
        case end
    }

    private struct Reader {
        var position: UInt64
        /// Nil: the end of the file.
        var end: UInt64?
    }

    private var readers: [UInt64: Reader] = [:]
    private var lastID: UInt64 = 0

    var isEmpty: Bool { self.readers.isEmpty }

    func contains(_ id: UInt64) -> Bool { self.readers[id] != nil }

    /// - Parameter range: Cut to the file when that is known. Nil: the whole file.
    mutating func add(_ range: Range<UInt64>?) -> UInt64 {
        self.lastID += 1
        // Behind the largest file is as good as anywhere, and leaves room to reckon.
        self.readers[self.lastID] = Reader(position: min(range?.lowerBound ?? 0, FileDescriptor.maximumSize), end: range?.upperBound)
        return self.lastID
    }

    /// Returns whether it was there.
    mutating func remove(_ id: UInt64) -> Bool { self.readers.removeValue(forKey: id) != nil }

    /// Moves the reader behind the bytes that it gets.
    ///
    /// - Parameter verified: The chunks that are proven; nil: all.
    mutating func next(_ id: UInt64, in layout: ChunkLayout, verified: ChunkBitmap?) -> Next {
        guard let reader = self.readers[id] else { return .end }
        let end = min(reader.end ?? layout.fileSize, layout.fileSize)
        guard reader.position < end else { return .end }
        let unit = UInt64(layout.chunkByteCount)
        var available = end
        if let verified {
            let chunk = Int(reader.position / unit)
            guard verified.contains(chunk) else { return .wait }
            if let firstMissing = verified.firstMissing(from: chunk) { available = min(end, UInt64(firstMissing) * unit) }
        }
        let position = min(available, reader.position + UInt64(VerifiedPiece.maximumByteCount))
        self.readers[id]?.position = position
        return .piece(reader.position..<position, leavesChunk: reader.position / unit != position / unit)
    }

    /// The chunks that each reader waits for, and those that it will soon; the oldest reader's first.
    ///
    /// - Parameter readAhead: Bytes behind a reader's position.
    func priorities(in layout: ChunkLayout, readAhead: UInt64) -> [Range<Int>] {
        let unit = UInt64(layout.chunkByteCount)
        return self.readers.sorted { $0.key < $1.key }.compactMap { _, reader in
            let ahead = reader.position + min(readAhead, FileDescriptor.maximumSize) + unit
            let end = min(reader.end ?? layout.fileSize, layout.fileSize, ahead)
            guard reader.position < end else { return nil }
            return Int(reader.position / unit)..<Int((end + unit - 1) / unit)
        }
    }
}
