import DIGContent
import DequeModule
import NIOCore

extension HostSessionStateMachine {
    /// - Throws: ``TransferWireError`` if no correct client sends this. The stream is to be reset.
    mutating func received(_ request: TransferRequest, handle number: UInt32) throws(TransferWireError) {
        switch request {
        case .describe(let hash, let chunkLayer):
            try self.receivedDescribe(hash, chunkLayer: chunkLayer, handle: number)
        case .resolve(let requestID, let key):
            guard number == 0 else { throw .unexpectedMessage }
            self.enqueue(.resolve(requestID: requestID, key), handle: number, generation: 0)
        case .release:
            self.release(number)
        default:
            guard var handle = self.handles[number] else {
                // A description that was refused, at the limit on handles, leaves requests without one.
                self.refuse(request, handle: number, .notHeld)
                return
            }
            switch handle.state {
            case .lookingUp(let hash, let chunkLayer, var waiting):
                handle.state = .absent(.busy)  // so that the array has one owner
                waiting.append(request)
                self.waitingRequestCount += 1
                handle.state = .lookingUp(hash, chunkLayer: chunkLayer, waiting: waiting)
                self.handles[number] = handle
            case .file(let served):
                self.received(request, handle: number, generation: handle.generation, served: served)
            case .folder(let folder):
                self.received(request, handle: number, generation: handle.generation, folder: folder)
            case .absent(let reason):
                self.refuse(request, handle: number, reason)
            }
        }
    }

    mutating func receivedDescribe(_ hash: ContentHash, chunkLayer: Int?, handle number: UInt32) throws(TransferWireError) {
        guard self.handles[number] == nil else { throw .unexpectedMessage }
        guard self.handles.count < self.limits.handleCount else {
            self.respond(.description(ContentDescription(.refused(.busy))), handle: number)
            return
        }
        let generation = self.makeID()
        self.handles[number] = Handle(generation: generation, state: .lookingUp(hash, chunkLayer: chunkLayer, waiting: []))
        self.enqueue(.lookUp(hash), handle: number, generation: generation)
    }

    mutating func received(_ request: TransferRequest, handle number: UInt32, generation: UInt64, served: ServedFile) {
        if let reason = served.withdrawn {
            self.refuse(request, handle: number, reason)
            return
        }
        switch request {
        case .getChunks(let range):
            self.receivedGetChunks(range, handle: number, served: served)
        case .cancel(let range):
            self.cancel(range.indices, handle: number)
        case .getHashes(let hashRequest):
            // Below the layer agreed on there is nothing that a client needs, and it would cost reading the file.
            guard hashRequest.layer >= min(served.layout.treeLayer, served.file.chunkLayer) else {
                self.refuse(request, handle: number, .outOfRange)
                return
            }
            self.enqueue(.readHashes(served.file, hashRequest), handle: number, generation: generation)
        case .subscribe:
            self.subscribe(number, generation: generation, served: served)
        case .prove(let block, let nonce):
            let geometry = served.layout.geometry
            guard block >= 0, block < geometry.blockCount else {
                self.refuse(request, handle: number, .outOfRange)
                return
            }
            if let held = served.file.availability.heldChunks, !held.contains(block >> served.layout.layer) {
                self.refuse(request, handle: number, .notHeld)
                return
            }
            self.enqueue(.readProof(served.file, block: block, nonce: nonce), handle: number, generation: generation)
        case .getListing:
            self.refuse(request, handle: number, .outOfRange)
        case .describe, .release, .resolve:
            break  // handled before
        }
    }

    mutating func received(_ request: TransferRequest, handle number: UInt32, generation: UInt64, folder: HostedFolder) {
        guard case .getListing(let offset, let byteCount) = request else {
            self.refuse(request, handle: number, .outOfRange)
            return
        }
        self.enqueue(.cutListing(folder, offset: offset, byteCount: byteCount), handle: number, generation: generation)
    }

    mutating func receivedGetChunks(_ range: ChunkRange, handle number: UInt32, served: ServedFile) {
        let wanted = range.indices
        let existing = wanted.clamped(to: 0..<served.layout.chunkCount)
        if existing.count < wanted.count {
            let beyond = max(wanted.lowerBound, served.layout.chunkCount)..<wanted.upperBound
            self.refuse(beyond, handle: number, .outOfRange)
        }
        var rest = existing
        guard !rest.isEmpty else { return }
        let held = served.file.availability.heldChunks
        while !rest.isEmpty {
            // A run that is held, or a run that is not.
            let end: Int
            let isHeld: Bool
            if let held {
                isHeld = held.contains(rest.lowerBound)
                end = min(rest.upperBound, (isHeld ? held.firstMissing(from: rest.lowerBound) : held.firstHeld(from: rest.lowerBound)) ?? rest.upperBound)
            } else {
                isHeld = true
                end = rest.upperBound
            }
            guard isHeld else {
                self.refuse(rest.lowerBound..<end, handle: number, .notHeld)
                rest = end..<rest.upperBound
                continue
            }
            let room = max(0, self.limits.outstandingChunkCount - self.outstandingChunkCount)
            guard room > 0 else {
                self.refuse(rest, handle: number, .busy)
                return
            }
            let accepted = rest.lowerBound..<min(end, rest.lowerBound + room)
            self.outstandingChunkCount += accepted.count
            self.append(accepted, handle: number)
            rest = accepted.upperBound..<rest.upperBound
        }
    }

    mutating func subscribe(_ number: UInt32, generation: UInt64, served: ServedFile) {
        guard served.announced == nil else { return }
        guard let held = served.file.availability.heldChunks else {
            self.respond(.bitfield(.complete), handle: number)
            return
        }
        self.setFile(number) { $0.announced = held }
        let step = TransferLimits.maximumBitfieldPartChunkCount
        for first in stride(from: 0, to: max(1, held.count), by: step) {
            let part = BitfieldPart.part(first: UInt32(clamping: first), bits: held.bytes(of: first..<min(held.count, first + step)))
            self.respond(.bitfield(held.isComplete ? .complete : part), handle: number)
            if held.isComplete { break }
        }
        if !held.isComplete { self.effects.append(.observe(handle: number, generation: generation, served.file.availability)) }
    }

    /// Forgets the chunks of `range` that are not written yet.
    mutating func cancel(_ range: Range<Int>, handle number: UInt32) {
        guard let handle = self.handles[number] else { return }
        var cancelled = 0
        self.setFile(number) { served in
            // Looking costs little; a peer may cancel what it never asked for as often as it likes.
            guard served.pending.contains(where: { $0.overlaps(range) }) else { return }
            var left: Deque<Range<Int>> = []
            for pending in served.pending {
                let overlap = pending.clamped(to: range)
                guard !overlap.isEmpty else {
                    left.append(pending)
                    continue
                }
                cancelled += overlap.count
                if pending.lowerBound < overlap.lowerBound { left.append(pending.lowerBound..<overlap.lowerBound) }
                if overlap.upperBound < pending.upperBound { left.append(overlap.upperBound..<pending.upperBound) }
            }
            served.pending = left
        }
        self.outstandingChunkCount -= cancelled
        self.skip(range, handle: number, generation: handle.generation)
    }

    /// Marks the chunks of `range` in pieces read ahead.
    mutating func skip(_ range: Range<Int>, handle number: UInt32, generation: UInt64) {
        for position in self.pieces.indices
        where self.pieces[position].handle == number && self.pieces[position].generation == generation && !self.pieces[position].hasFailed {
            let piece = self.pieces[position]
            for chunk in (piece.next..<piece.chunks.upperBound).clamped(to: range) where !piece.isSkipped(chunk) {
                self.pieces[position].skipped |= 1 << UInt64(chunk - piece.chunks.lowerBound)
                self.outstandingChunkCount -= 1
            }
        }
        self.dropFinishedPieces()
    }

    mutating func release(_ number: UInt32) {
        guard let handle = self.handles.removeValue(forKey: number) else { return }
        switch handle.state {
        case .lookingUp(_, _, let waiting):
            self.waitingRequestCount -= waiting.count
        case .file(let served):
            self.outstandingChunkCount -= served.pending.reduce(0) { $0 + $1.count }
            self.skip(0..<Int.max, handle: number, generation: handle.generation)
            if served.announced != nil { self.effects.append(.stopObserving(handle: number)) }
        case .folder, .absent:
            break
        }
        // Jobs that have not begun are not worth it any more.
        self.jobs.removeAll { $0.handle == number && $0.generation == handle.generation }
    }
}
