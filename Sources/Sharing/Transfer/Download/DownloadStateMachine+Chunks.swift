import DIGContent

extension DownloadStateMachine {
    /// Chunks of one request were hashed, and written if they are right.
    ///
    /// - Parameters:
    ///   - chunks: Consecutive chunks that came.
    ///   - corrupt: Those of them that are not what the tree says.
    mutating func chunksChecked(_ chunks: Range<Int>, corrupt: [Int], from key: PeerKey, now: Instant) {
        guard let layout = self.layout, self.phase == .transferring else { return }
        self.noteProgress(key, now: now)
        var fresh: Range<Int>?
        var freshByteCount = 0
        for index in chunks where !corrupt.contains(index) {
            let byteCount = Self.byteCount(of: index, layout)
            let ownRequests = self.take(index, from: key, byteCount: byteCount, now: now) ? 1 : 0
            let requesterCount = self.picker.requesterCount(of: index)
            // The loser of a duplicate is right but not new. So is what a peer sent before it was let go.
            guard self.picker.verified(index) else { continue }
            freshByteCount += byteCount
            if requesterCount > ownRequests { self.cancelDuplicates(of: index) }
            if let run = fresh, run.upperBound == index {
                fresh = run.lowerBound..<index + 1
            } else {
                if let fresh { self.actions.append(.reportVerified(fresh)) }
                fresh = index..<index + 1
            }
        }
        if let fresh { self.actions.append(.reportVerified(fresh)) }
        if freshByteCount > 0 {
            self.peers[key]?.verifiedByteCount += UInt64(freshByteCount)
            self.peers[key]?.meter.record(freshByteCount, now: now)
        }
        if let first = corrupt.first {
            let error = TransferError(.corruptChunk, "chunk \(first) from the peer is not what the tree says; it comes from another")
            self.drop(key, error, isLie: true, now: now)
        }
        self.schedule(now: now)
    }

    mutating func chunksUnavailable(_ range: ChunkRange, reason: UnavailableReason, from key: PeerKey, now: Instant) {
        guard let layout = self.layout, let peer = self.peers[key] else { return }
        guard range.indices.upperBound <= layout.chunkCount else {
            return self.peerViolated(key, error: TransferError(.protocolViolation, "the peer names chunks that the file does not have"), now: now)
        }
        let isAnswer = self.returnChunks(range.indices, to: key)
        if isAnswer { self.noteProgress(key, now: now) }
        switch reason {
        case .busy:
            if isAnswer { self.peers[key]?.pausedUntil = now + .seconds(1) }
        case .notHeld, .unspecified:
            switch peer.holdings {
            case .partial(let chunks):
                self.takeBack(range.indices, of: chunks, from: key, layout: layout, now: now)
            case .complete, nil:
                self.drop(key, TransferError(.notFound, "the peer said it holds everything, then that it does not hold chunk \(range.first)"), isLie: false, now: now)
            }
        case .authenticationRequired, .notAuthorized:
            self.drop(key, .refusal(reason), isLie: false, now: now)
        case .changed:
            self.drop(key, TransferError(.notFound, "the peer's file is not the one any more that it shared"), isLie: false, now: now)
        case .unreadable, .layerUnsupported, .outOfRange:
            self.drop(key, TransferError(.refused, "the peer cannot deliver any more (\(reason))"), isLie: false, now: now)
        }
        self.schedule(now: now)
    }

    /// Chunks that will not come from this peer may come from another. Returns whether any was asked of it.
    mutating func returnChunks(_ range: Range<Int>, to key: PeerKey) -> Bool {
        guard var peer = self.peers[key] else { return false }
        self.peers[key] = nil  // One reference, so that nothing in it is copied.
        var isAnswer = false
        for position in peer.requests.indices where peer.requests[position].range.overlaps(range) {
            for index in peer.requests[position].range.clamped(to: range) where peer.requests[position].awaited.take(index) {
                isAnswer = true
                peer.outstandingCount -= 1
                if !peer.requests[position].isReleased { self.picker.release(index) }
            }
        }
        if isAnswer { peer.requests.removeAll { $0.awaited.isEmpty } }
        self.peers[key] = peer
        return isAnswer
    }

    /// The peer does not hold these after all. Who takes back more chunks than there are plays with us.
    mutating func takeBack(_ range: Range<Int>, of chunks: ChunkSet, from key: PeerKey, layout: ChunkLayout, now: Instant) {
        guard var next = chunks.first(from: range.lowerBound), next < range.upperBound else { return }
        var chunks = chunks
        var lost = ChunkSet(universe: layout.chunkCount)
        while next < range.upperBound {
            chunks.remove(next)
            lost.insert(next)
            guard let following = chunks.first(from: next + 1) else { break }
            next = following
        }
        self.peers[key]?.holdings = .partial(chunks)
        self.peers[key]?.takenBackCount += lost.count
        if self.phase == .transferring { self.picker.partialHolderRemoved(lost) }
        if let count = self.peers[key]?.takenBackCount, count > layout.chunkCount {
            self.drop(key, TransferError(.refused, "the peer keeps changing what it says it holds"), isLie: false, now: now)
        }
    }

    /// Removes a chunk that came from what is outstanding, and tells the window. Returns whether the picker counts this peer for it.
    mutating func take(_ index: Int, from key: PeerKey, byteCount: Int, now: Instant) -> Bool {
        guard let position = self.peers[key]?.requests.firstIndex(where: { $0.range.contains(index) }),
            let request = self.peers[key]?.requests[position], self.peers[key]?.requests[position].awaited.take(index) == true
        else { return false }
        self.peers[key]?.outstandingCount -= 1
        let isFirst = request.awaited.count == request.range.count
        self.peers[key]?.window.received(
            byteCount, roundTrip: request.measuresRoundTrip && isFirst ? now - request.requestedAt : nil, now: now)
        if request.awaited.count == 1 { self.peers[key]?.requests.remove(at: position) }
        return !request.isReleased
    }

    /// Another peer was asked for the same chunk: it need not send it any more.
    mutating func cancelDuplicates(of index: Int) {
        for (key, peer) in self.peers where peer.outstandingCount > 0 {
            guard let position = peer.requests.firstIndex(where: { $0.range.contains(index) }),
                self.peers[key]?.requests[position].awaited.take(index) == true
            else { continue }
            self.peers[key]?.outstandingCount -= 1
            if self.peers[key]?.requests[position].awaited.isEmpty == true { self.peers[key]?.requests.remove(at: position) }
            self.actions.append(.cancel(key, index..<index + 1))
        }
    }

    static func byteCount(of index: Int, _ layout: ChunkLayout) -> Int {
        layout.byteCount(of: ChunkIndex(UInt32(truncatingIfNeeded: index))) ?? 0
    }
}
