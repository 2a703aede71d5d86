import DIGContent
import NIOCore

extension FileDownload {
    /// The bytes of the file in order, each as soon as it is proven, while the download runs or after it.
    ///
    /// The chunks that the reader waits for are asked for first. At most 256 KiB are in memory for a reader.
    ///
    /// - Parameter range: Cut to the file. Nil: the whole file.
    public func bytes(in range: Range<UInt64>? = nil) -> VerifiedBytes { VerifiedBytes(download: self, range: range) }

    func addReader(_ range: Range<UInt64>?) -> EventLoopFuture<UInt64> {
        self.eventLoop.submit {
            let id = self.readers.add(range)
            self.prioritiesChanged()
            return id
        }
    }

    func removeReader(_ id: UInt64) {
        self.eventLoop.execute {
            guard self.readers.remove(id) else { return }
            self.waiters.removeValue(forKey: id)?.fail(CancellationError())
            self.prioritiesChanged()
        }
    }

    /// What can be read at the reader's position; nil at the end. The position moves behind it.
    func nextPiece(_ id: UInt64) -> EventLoopFuture<VerifiedPiece?> {
        self.eventLoop.flatSubmit {
            guard self.readers.contains(id) else { return self.eventLoop.makeFailedFuture(CancellationError()) }
            let promise = self.eventLoop.makePromise(of: VerifiedPiece?.self)
            self.waiters[id] = promise
            self.serveReader(id)
            return promise.futureResult
        }
    }

    func serveReader(_ id: UInt64) {
        guard let waiter = self.waiters[id] else { return }
        if case .ended(.some(let error)) = self.phase {
            self.waiters[id] = nil
            return waiter.fail(error)
        }
        // An empty file is not whole before somebody said so.
        guard let layout = self.ledger.layout else { return }
        switch self.readers.next(id, in: layout, verified: self.isPresent ? nil : self.ledger.verified) {
        case .wait: break
        case .end:
            self.waiters[id] = nil
            waiter.succeed(nil)
        case .piece(let range, let leavesChunk):
            self.waiters[id] = nil
            if leavesChunk { self.prioritiesChanged() }
            let source: VerifiedPiece.Source
            if let part = self.part { source = .part(part) } else { source = .path(self.publishedPath ?? self.destination.path) }
            waiter.succeed(VerifiedPiece(source: source, range: range))
        }
    }

    func wakeReaders() {
        for id in Array(self.waiters.keys) { self.serveReader(id) }
    }

    func prioritiesChanged() {
        guard case .running = self.phase, self.part != nil, !self.readers.isEmpty || self.hasPriorities else { return }
        self.hasPriorities = !self.readers.isEmpty
        let readers = self.readers
        let readAhead = UInt64(max(0, self.options.readAheadByteCount))
        self.update { machine, now in
            guard let layout = machine.layout else { return }
            machine.setPriorities(readers.priorities(in: layout, readAhead: readAhead), now: now)
        }
    }
}
