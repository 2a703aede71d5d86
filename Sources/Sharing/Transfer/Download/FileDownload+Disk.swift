import DIGContent
import Logging
import NIOCore
import NIOPosix

extension FileDownload {
    // MARK: - Disk

    func prepareStorage(_ descriptor: DIGContent.FileDescriptor, _ layout: ChunkLayout) {
        let preparation = StoragePreparation(
            descriptor: descriptor, layout: layout, destination: self.destination, keepsFile: self.options.keepsFile, savedHashes: self.saved?.chunkHashes,
            savedBitmap: self.saved?.verified)
        self.prepareTask = Task {
            do {
                let prepared = try await preparation.run(on: self.threadPool)
                self.eventLoop.execute { self.storagePrepared(prepared, layout) }
            } catch {
                self.eventLoop.execute { self.finish(error) }
            }
        }
    }

    func storagePrepared(_ prepared: StoragePreparation.Outcome, _ layout: ChunkLayout) {
        switch prepared {
        case .present(let path):
            guard case .running = self.phase else { return }
            self.isPresent = true
            self.ledger.foundPresent(layout)
            self.publishedPath = path
            self.finish(nil)
        case .opened(let part, let claimed, let hashes):
            guard case .running = self.phase else { return part.close(promise: nil) }
            self.part = part
            self.ledger.opened(layout)
            self.availability = PartialAvailability(ChunkBitmap(count: layout.chunkCount))
            for attachment in self.links.attachments { attachment.prepare(file: part, layout: layout) }
            self.update { machine, now in machine.storageReady(claimed: claimed, chunkLayer: hashes, now: now) }
            self.prioritiesChanged()
            self.wakeReaders()
        }
    }

    func checkStored(_ chunks: Range<Int>, claimed: ChunkBitmap, hashes: ArraySlice<SHA256Digest>, layout: ChunkLayout?) {
        guard let part = self.part, let layout else { return }
        let pool = self.pool
        let perRead = max(1, ChunkSlab.byteCount / layout.chunkByteCount)
        self.threadPool.runIfActive(eventLoop: self.eventLoop) {
            let slab = pool.takeAnyway()
            defer { pool.giveBack(slab) }
            var valid = ChunkBitmap(count: claimed.count)
            for run in claimed.ranges {
                for start in stride(from: run.lowerBound, to: run.upperBound, by: perRead) {
                    let piece = start..<min(start + perRead, run.upperBound)
                    let first = hashes.startIndex + piece.lowerBound - chunks.lowerBound
                    for chunk in try slab.proveStored(piece, hashes: hashes[first..<first + piece.count], in: part, layout: layout) {
                        valid.insert(chunk)
                    }
                }
            }
            return valid
        }.whenComplete { result in
            switch result {
            case .success(let valid):
                for run in valid.ranges { self.ledger.resumed(run) }
                self.update { machine, now in machine.storedChecked(chunks, valid: valid, now: now) }
            case .failure(let error):
                self.finish(error)
            }
        }
    }

    func noteVerified(_ chunks: Range<Int>, machine: DownloadStateMachine) {
        let now = ContinuousClock.now
        self.ledger.insert(chunks, now: now)
        self.availability?.insert(chunks)
        if !self.isLayerPublished, machine.isChunkLayerKnown, let layout = machine.layout, let bytes = machine.chunkLayerBytes {
            self.isLayerPublished = true
            if let tree = try? TreeLayer(fileSize: layout.fileSize, layer: layout.treeLayer, rawBytes: bytes) { self.hashSource.set(tree) }
        }
        if self.ledger.isCheckpointDue(now: now) { self.requestCheckpoint() }
        self.wakeReaders()
    }

    // MARK: - Checkpoints

    func requestCheckpoint() {
        self.ledger.checkpointed(now: .now)
        self.checkpointContinuation.yield()
    }

    func saveCheckpoints() async {
        for await _ in self.checkpoints {
            do {
                try await self.saveCheckpoint()
            } catch let error as TransferError where error.code == .diskFull || error.code == .diskFailure {
                self.eventLoop.execute { self.finish(error) }
            } catch {
                self.logger.warning("the state of a transfer could not be saved", metadata: ["dig.transfer.error": "\(error)"])
            }
        }
    }

    /// First the bytes reach the disk, then the record that they have.
    func saveCheckpoint() async throws {
        guard let (part, transfer) = try await self.eventLoop.submit({ self.snapshot() }).get() else { return }
        try await self.threadPool.runIfActive { try part.sync() }
        try await self.store.save(transfer)
        if transfer.chunkHashes != nil { self.eventLoop.execute { self.areHashesSaved = true } }
    }

    func snapshot() -> (PartFile, SavedTransfer)? {
        guard let part = self.part, let machine = self.machine, let descriptor = machine.descriptor, let layout = machine.layout else { return nil }
        let hashes = self.areHashesSaved || self.ledger.isNearEnd ? nil : self.hashSource.known?.rawBytes
        return (
            part,
            SavedTransfer(
                descriptor: descriptor, chunkLayer: layout.layer, destination: self.destination.path, verified: self.ledger.verified, chunkHashes: hashes)
        )
    }
}
