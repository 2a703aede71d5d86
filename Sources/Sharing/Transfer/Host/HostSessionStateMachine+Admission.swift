import DIGContent
import DequeModule

/// What has been admitted and is not any more. Whoever loses a content gets nothing further of it, also not what has been read ahead.
extension HostSessionStateMachine {
    /// What the client has open, or has asked to open.
    var openContents: [ContentHash] {
        var contents: Set<ContentHash> = []
        for handle in self.handles.values {
            switch handle.state {
            case .lookingUp(let hash, _, _): contents.insert(hash)
            case .file(let served) where served.withdrawn == nil: contents.insert(served.file.descriptor.contentHash)
            case .folder(let folder): contents.insert(folder.contentHash)
            case .file, .absent: break
            }
        }
        return Array(contents)
    }

    /// Why the peer may not have the content of a handle any more; nil if it may.
    func revocation(of number: UInt32) -> UnavailableReason? {
        switch self.handles[number]?.state {
        case .file(let served): served.withdrawn.flatMap { $0.isAboutThePeer ? $0 : nil }
        case .absent(let reason): reason.isAboutThePeer ? reason : nil
        case .folder, .lookingUp, nil: nil
        }
    }

    /// Answers what has not begun. What runs is answered when it is done.
    mutating func refuseJobs(of number: UInt32, _ reason: UnavailableReason) {
        guard let generation = self.handles[number]?.generation else { return }
        let jobs = self.jobs.filter { $0.handle == number && $0.generation == generation }
        self.jobs.removeAll { $0.handle == number && $0.generation == generation }
        for pending in jobs {
            switch pending.job.work {
            case .readHashes(_, let request): self.refuse(.getHashes(request), handle: number, reason)
            case .readProof(_, let block, let nonce): self.refuse(.prove(block: block, nonce: nonce), handle: number, reason)
            case .cutListing(_, let offset, let byteCount): self.refuse(.getListing(offset: offset, byteCount: byteCount), handle: number, reason)
            case .lookUp, .resolve: break
            }
        }
    }

    /// Refuses the chunks that are being read, or have been read and not sent.
    mutating func refusePieces(of number: UInt32, _ reason: UnavailableReason) {
        guard let generation = self.handles[number]?.generation else { return }
        for piece in self.pieces where piece.handle == number && piece.generation == generation && !piece.hasFailed {
            var rest = (piece.next..<piece.chunks.upperBound).filter { !piece.isSkipped($0) }[...]
            while let first = rest.first {
                let run = zip(rest, first...).prefix { $0 == $1 }.count
                self.refuse(first..<first + run, handle: number, reason)
                rest = rest.dropFirst(run)
            }
        }
        self.skip(0..<Int.max, handle: number, generation: generation)
    }
}
