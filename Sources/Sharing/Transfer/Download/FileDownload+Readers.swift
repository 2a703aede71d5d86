import DIGContent
import NIOCore

extension FileDownload {
    /// The bytes of the file in order, each as soon as it is proven, while the download runs or after it.
    ///
    /// The chunks that the reader waits for are asked for first. At most 256 KiB are in memory for a reader.
    ///
    /// - Parameter range: Cut to the file. Nil: the whole file.
    public func bytes(in range: Range<UInt64>? = nil) -> VerifiedBytes { VerifiedBytes(download: self, range: range) }

    struct ReaderState {
        /// The chunks that the reader is at, the most urgent first.
        var position: UInt64
        var end: UInt64?
        var waiter: EventLoopPromise<VerifiedPiece?>?
    }

    func addReader(_ range: Range<UInt64>?) -> EventLoopFuture<UInt64> {
        self.eventLoop.submit {
            self.nextReader += 1
            // Behind the largest file is as good as anywhere, and leaves room to reckon.
            let position = min(range?.lowerBound ?? 0, DIGContent.FileDescriptor.maximumSize)
            self.readers[self.nextReader] = ReaderState(position: position, end: range?.upperBound)
            self.prioritiesChanged()
            return self.nextReader
        }
    }

    func removeReader(_ id: UInt64) {
        self.eventLoop.execute {
            guard let reader = self.readers.removeValue(forKey: id) else { return }
            reader.waiter?.fail(CancellationError())
            self.prioritiesChanged()
        }
    }

    /// What can be read at the reader's position; nil at the end. The position moves behind it.
    func nextPiece(_ id: UInt64) -> EventLoopFuture<VerifiedPiece?> {
        self.eventLoop.flatSubmit {
            guard self.readers[id] != nil else { return self.eventLoop.makeFailedFuture(CancellationError()) }
            let promise = self.eventLoop.makePromise(of: VerifiedPiece?.self)
            self.readers[id]?.waiter = promise
            self.serveReader(id)
            return promise.futureResult
        }
    }

    func serveReader(_ id: UInt64) {
        guard let reader = self.readers[id], let waiter = reader.waiter else { return }
        func answer(_ piece: VerifiedPiece?) {
            self.readers[id]?.waiter = nil
            waiter.succeed(piece)
        }
        if case .ended(.some(let error)) = self.phase {
            self.readers[id]?.waiter = nil
            return waiter.fail(error)
        }
        guard let layout = self.layout else { return }
        let end = min(reader.end ?? layout.fileSize, layout.fileSize)
        guard reader.position < end else {
            // An empty file is not whole before somebody said so.
            if self.part != nil || self.isPresent { answer(nil) }
            return
        }
        let available: UInt64
        if self.isPresent {
            available = end
        } else {
            let chunk = Int(reader.position / UInt64(layout.chunkByteCount))
            guard self.part != nil, self.verified.contains(chunk) else { return }
            let firstMissing = self.verified.firstMissing(from: chunk) ?? layout.chunkCount
            available = min(end, UInt64(firstMissing) * UInt64(layout.chunkByteCount))
        }
        let pieceEnd = min(available, reader.position + UInt64(VerifiedPiece.maximumByteCount))
        self.readers[id]?.position = pieceEnd
        if reader.position / UInt64(layout.chunkByteCount) != pieceEnd / UInt64(layout.chunkByteCount) { self.prioritiesChanged() }
        let source: VerifiedPiece.Source
        if let part = self.part { source = .part(part) } else { source = .path(self.publishedPath ?? self.destination.path) }
        answer(VerifiedPiece(source: source, range: reader.position..<pieceEnd))
    }

    func wakeReaders() {
        guard !self.readers.isEmpty else { return }
        for id in self.readers.keys where self.readers[id]?.waiter != nil { self.serveReader(id) }
    }

    func prioritiesChanged() {
        guard case .running = self.phase, self.part != nil else { return }
        let readers = self.readers
        guard !readers.isEmpty || self.hasPriorities else { return }
        self.hasPriorities = !readers.isEmpty
        let readAhead = UInt64(max(0, self.options.readAheadByteCount))
        self.update { machine, now in
            guard let layout = machine.layout else { return }
            let unit = UInt64(layout.chunkByteCount)
            let ranges = readers.sorted { $0.key < $1.key }.compactMap { _, reader -> Range<Int>? in
                let end = min(reader.end ?? layout.fileSize, layout.fileSize, reader.position + readAhead + unit)
                guard reader.position < end else { return nil }
                return Int(reader.position / unit)..<Int((end + unit - 1) / unit)
            }
            machine.setPriorities(ranges, now: now)
        }
    }
}
