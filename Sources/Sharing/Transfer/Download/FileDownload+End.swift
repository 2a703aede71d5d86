import DIGContent
import Logging
import NIOCore
import NIOPosix

extension FileDownload {
    /// After a failure: what is verified is remembered, and the file is unlocked. A cancelled task does this too, so it has a task of its own.
    func keep() async {
        await Task {
            let hasPart = (try? await self.eventLoop.submit { self.part != nil && self.ledger.verifiedByteCount > 0 }.get()) ?? false
            if hasPart {
                do {
                    try await self.saveCheckpoint()
                } catch {
                    self.logger.warning("the state of a transfer could not be saved", metadata: ["dig.transfer.error": "\(error)"])
                }
            }
            await self.closePart(discards: !self.options.keepsFile || !hasPart)
        }.value
    }

    func closePart(discards: Bool) async {
        let closed = self.eventLoop.flatSubmit { () -> EventLoopFuture<Void> in
            guard let part = self.part else { return self.eventLoop.makeSucceededVoidFuture() }
            if discards { part.discard() }
            let promise = self.eventLoop.makePromise(of: Void.self)
            part.close(promise: promise)
            return promise.futureResult
        }
        try? await closed.get()
    }

    func complete(start: ContinuousClock.Instant) async throws -> DownloadResult {
        let (descriptor, part, present) = try await self.eventLoop.submit { () throws -> (DIGContent.FileDescriptor, PartFile?, String?) in
            guard let descriptor = self.machine?.descriptor else { throw TransferError(.diskFailure, "the download ended without a file") }
            return (descriptor, self.part, self.publishedPath)
        }.get()
        var sha256: SHA256Digest?
        var path = present ?? self.destination.path
        do {
            if let wanted = self.options.sha256 {
                let actual = try await PlainSHA256.hash(fileAt: part.map { $0.directory.path(of: $0.partName) } ?? path)
                guard actual == wanted else {
                    throw TransferError(
                        .bindingMismatch,
                        "the file is \(self.contentHash) as asked for, but its SHA-256 is \(actual), not \(wanted): \(self.options.sha256Source ?? "whoever bound the two") is wrong")
                }
                sha256 = actual
            }
            if let part {
                if self.options.keepsFile {
                    let name = try await self.threadPool.runIfActive {
                        try part.publish(as: self.destination.name, policy: self.destination.existingFile, isDurable: self.options.isDurable)
                    }
                    path = part.directory.path(of: name)
                } else {
                    part.discard()
                }
            }
        } catch let error as TransferError where error.code == .bindingMismatch {
            await self.closePart(discards: true)
            await self.forgetState()
            throw error
        } catch {
            await self.keep()
            throw error
        }
        await self.forgetState()
        let publishedPath = path
        let finalSHA256 = sha256
        return try await self.eventLoop.submit {
            self.publishedPath = publishedPath
            self.emitProgress(isFinal: true)
            return DownloadResult(
                descriptor: descriptor, path: publishedPath, peers: self.machine?.statistics(now: .now) ?? [], resumedByteCount: self.ledger.resumedByteCount,
                wasPresent: self.isPresent, sha256: finalSHA256, duration: .now - start, failures: self.machine?.failures ?? [])
        }.get()
    }

    func forgetState() async {
        do {
            try await self.store.remove(self.contentHash, destination: self.destination.path)
        } catch {
            self.logger.warning("the state of a finished transfer could not be removed", metadata: ["dig.transfer.error": "\(error)"])
        }
    }
}
