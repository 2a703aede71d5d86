import DIGContent
import DequeModule
import NIOCore

extension HostSessionStateMachine {
    /// - Parameter outcome: Nil in `.success` if there is no such content.
    mutating func lookedUp(_ outcome: Result<HostedContent?, any Error>, id: UInt64) {
        guard let running = self.runningJobs.removeValue(forKey: id), let handle = self.handles[running.handle],
            handle.generation == running.generation, case .lookingUp(let hash, let chunkLayer, let waiting) = handle.state
        else { return }
        let (state, description) = self.admit(self.describe(outcome, hash: hash, chunkLayer: chunkLayer))
        self.handles[running.handle] = Handle(generation: handle.generation, state: state)
        self.respond(.description(description), handle: running.handle)
        self.waitingRequestCount -= waiting.count
        for request in waiting {
            // None of them is a description, a release or a resolution, so none throws.
            try? self.received(request, handle: running.handle)
        }
    }

    /// Bounds the memory of listings: a content open under many handles is kept once, and of different ones only so much.
    mutating func admit(_ found: (state: Handle.State, description: ContentDescription)) -> (Handle.State, ContentDescription) {
        guard case .folder(var folder) = found.state else { return found }
        var listings: [ContentHash: [UInt8]] = [:]
        for handle in self.handles.values {
            if case .folder(let other) = handle.state { listings[other.contentHash] = other.listing }
        }
        if let listing = listings[folder.contentHash] {
            folder.listing = listing
            return (.folder(folder), found.description)
        }
        let byteCount = listings.values.reduce(folder.listing.count) { $0 + $1.count }
        guard byteCount <= self.limits.listingByteCount else {
            return (.absent(.busy), ContentDescription(.refused(.busy)))
        }
        return found
    }

    func describe(
        _ outcome: Result<HostedContent?, any Error>, hash: ContentHash, chunkLayer: Int?
    ) -> (Handle.State, ContentDescription) {
        switch outcome {
        case .success(.file(let file)?):
            let held = file.availability.heldChunks
            // Higher layers follow from the stored one, lower ones from the file. The bitmap of a partial file is in the stored layer only.
            let layer = chunkLayer ?? file.chunkLayer
            let layout: ChunkLayout
            do {
                layout = try ChunkLayout(fileSize: file.descriptor.size, layer: layer)
            } catch {
                return (.absent(.layerUnsupported), ContentDescription(.refused(.layerUnsupported)))
            }
            guard layer == file.chunkLayer || (held == nil && (layer > file.chunkLayer || self.limits.allowsLowerLayer(layout))) else {
                return (.absent(.layerUnsupported), ContentDescription(.refused(.layerUnsupported)))
            }
            guard file.descriptor.contentHash == hash, held == nil || held?.count == layout.chunkCount else {
                return (.absent(.unreadable), ContentDescription(.refused(.unreadable)))
            }
            let content = ContentDescription.Content.file(size: file.descriptor.size, root: file.descriptor.root, chunkLayer: layer)
            let description = ContentDescription(content, name: Self.name(file.name), bindings: BindingList.encode(file.bindings))
            return (.file(ServedFile(file: file, layout: layout)), description)
        case .success(.folder(let folder)?):
            let content = ContentDescription.Content.folder(byteCount: UInt64(folder.listing.count))
            return (.folder(folder), ContentDescription(content, name: Self.name(folder.name), bindings: BindingList.encode(folder.bindings)))
        case .success(nil):
            return (.absent(.notHeld), ContentDescription(.notFound))
        case .failure(let refusal as HostAdmission.Refused):
            return (.absent(refusal.reason), ContentDescription(.refused(refusal.reason)))
        case .failure:
            return (.absent(.unreadable), ContentDescription(.refused(.unreadable)))
        }
    }

    static func name(_ name: String?) -> String? {
        guard let name, name.utf8.count <= TransferLimits.maximumNameByteCount else { return nil }
        return name
    }

    /// - Parameter bindings: Encoded.
    mutating func resolved(_ bindings: [[UInt8]], withheld: UnavailableReason? = nil, id: UInt64) {
        guard let running = self.runningJobs.removeValue(forKey: id), case .resolve(let requestID, _) = running.job.work else { return }
        self.respond(.resolved(requestID: requestID, bindings: bindings, withheld: withheld), handle: 0)
    }

    mutating func hashesRead(_ outcome: Result<HashSegment, any Error>, id: UInt64) {
        guard let running = self.runningJobs.removeValue(forKey: id), case .readHashes(_, let request) = running.job.work,
            self.handles[running.handle]?.generation == running.generation
        else { return }
        let requestID = HashRequestID(layer: request.layer, index: request.index, count: request.count)
        if let reason = self.revocation(of: running.handle) { return self.respond(.hashesUnavailable(requestID, reason), handle: running.handle) }
        switch outcome {
        case .success(let segment):
            self.respond(.hashes(segment), handle: running.handle)
        case .failure(let error as ContentError) where error.code == .geometryMismatch:
            self.respond(.hashesUnavailable(requestID, .outOfRange), handle: running.handle)
        case .failure(let error as FileReadError):
            let reason = self.reason(for: error, handle: running.handle)
            self.respond(.hashesUnavailable(requestID, reason), handle: running.handle)
            if error.meansChanged { self.withdraw(running.handle, reason) }
        case .failure(is SerialJobs.Full):
            self.respond(.hashesUnavailable(requestID, .busy), handle: running.handle)
        case .failure:
            self.respond(.hashesUnavailable(requestID, .notHeld), handle: running.handle)
        }
    }

    mutating func proofRead(_ outcome: Result<BlockProof, any Error>, id: UInt64) {
        guard let running = self.runningJobs.removeValue(forKey: id), case .readProof(_, let block, let nonce) = running.job.work,
            self.handles[running.handle]?.generation == running.generation
        else { return }
        if let reason = self.revocation(of: running.handle) {
            return self.respond(.proofUnavailable(block: block, nonce: nonce, reason), handle: running.handle)
        }
        switch outcome {
        case .success(let proof):
            self.respond(.proof(proof, nonce: nonce), handle: running.handle)
        case .failure(let error):
            let isMismatch = (error as? ContentError)?.code == .proofMismatch
            let failure = error as? FileReadError ?? (isMismatch ? .changed : .failed(errno: 0))
            let reason = self.reason(for: failure, handle: running.handle)
            self.respond(.proofUnavailable(block: block, nonce: nonce, reason), handle: running.handle)
            if failure.meansChanged { self.withdraw(running.handle, reason) }
        }
    }

    mutating func framesRead(_ outcome: Result<ByteBuffer, FileReadError>, id: UInt64) {
        self.runningReadCount -= 1
        guard let position = self.pieces.firstIndex(where: { $0.id == id }) else { return }
        switch outcome {
        case .success(let frames):
            self.pieces[position].frames = frames
        case .failure(let error):
            self.pieces[position].hasFailed = true
            let piece = self.pieces[position]
            let owed = piece.chunks.filter { !piece.isSkipped($0) }
            self.outstandingChunkCount -= owed.count
            let reason = self.reason(for: error, handle: piece.handle)
            if self.handles[piece.handle]?.generation == piece.generation {
                var rest = owed[...]
                while let first = rest.first {
                    let run = zip(rest, first...).prefix { $0 == $1 }.count
                    self.refuse(first..<first + run, handle: piece.handle, reason)
                    rest = rest.dropFirst(run)
                }
                if error.meansChanged { self.withdraw(piece.handle, reason) }
            }
        }
        self.dropFinishedPieces()
    }

    func reason(for error: FileReadError, handle number: UInt32) -> UnavailableReason {
        guard error.meansChanged else { return .unreadable }
        // A download in progress that is gone was finished, and renamed, or given up. It is found anew under the next handle.
        if error == .missing, case .file(let served)? = self.handles[number]?.state, served.file.stamp == nil { return .notHeld }
        return .changed
    }

    /// New chunks can be served.
    mutating func availabilityChanged(handle number: UInt32, generation: UInt64) {
        guard let handle = self.handles[number], handle.generation == generation, case .file(let served) = handle.state,
            let announced = served.announced
        else { return }
        var gained = served.file.availability.heldChunks ?? ChunkBitmap(count: announced.count, isComplete: true)
        guard gained.count == announced.count else { return }
        let now = gained
        gained.subtract(announced)
        guard !gained.isEmpty else { return }
        self.setFile(number) { $0.announced = now }
        let ranges = gained.ranges.compactMap { ChunkRange($0) }
        for start in stride(from: 0, to: ranges.count, by: TransferLimits.maximumHaveRangeCount) {
            self.respond(.have(Array(ranges[start..<min(ranges.count, start + TransferLimits.maximumHaveRangeCount)])), handle: number)
        }
    }

    /// Stops serving a content: it was removed from the registry, or changed.
    mutating func withdraw(_ hash: ContentHash, _ reason: UnavailableReason) {
        for (number, handle) in self.handles {
            switch handle.state {
            case .file(let served) where served.file.descriptor.contentHash == hash: self.withdraw(number, reason)
            case .folder(let folder) where folder.contentHash == hash:
                self.handles[number] = Handle(generation: handle.generation, state: .absent(reason))
                if reason.isAboutThePeer { self.refuseJobs(of: number, reason) }
            case .lookingUp(hash, _, let waiting) where reason.isAboutThePeer:
                self.handles[number] = Handle(generation: handle.generation, state: .absent(reason))
                self.respond(.description(ContentDescription(.refused(reason))), handle: number)
                self.waitingRequestCount -= waiting.count
                for request in waiting { self.refuse(request, handle: number, reason) }
            default: break
            }
        }
    }

    mutating func withdraw(_ number: UInt32, _ reason: UnavailableReason) {
        guard let handle = self.handles[number], case .file(let served) = handle.state, served.withdrawn == nil else { return }
        self.setFile(number) {
            $0.withdrawn = reason
            $0.pending = []
        }
        for range in served.pending {
            self.outstandingChunkCount -= range.count
            self.refuse(range, handle: number, reason)
        }
        if reason.isAboutThePeer {
            self.refuseJobs(of: number, reason)
            self.refusePieces(of: number, reason)
        }
        if served.announced != nil { self.effects.append(.stopObserving(handle: number)) }
        if reason == .changed { self.effects.append(.contentChanged(served.file.descriptor.contentHash)) }
    }
}
