import DIGContent

extension DownloadStateMachine {
    mutating func receivedBitfield(_ part: BitfieldPart, from key: PeerKey, now: Instant) {
        guard self.peers[key] != nil else { return }
        switch part {
        case .complete:
            if self.becomeComplete(key) { self.noteProgress(key, now: now) }
        case .part(let first, let bits):
            guard let layout = self.layout else {
                let error = TransferError(.protocolViolation, "the peer sent a bitfield before it described the content")
                return self.peerViolated(key, error: error, now: now)
            }
            var bitmap = ChunkBitmap(count: layout.chunkCount)
            do {
                try bitmap.insert(bytes: bits, at: Int(first))
            } catch {
                let error = TransferError(.protocolViolation, "the peer's bitfield does not fit the file", cause: error)
                return self.peerViolated(key, error: error, now: now)
            }
            if self.gain(key, bitmap.ranges) { self.noteProgress(key, now: now) }
        }
        self.schedule(now: now)
    }

    mutating func receivedHave(_ ranges: [ChunkRange], from key: PeerKey, now: Instant) {
        guard self.peers[key] != nil else { return }
        let count = self.layout?.chunkCount ?? 0
        guard ranges.allSatisfy({ $0.indices.upperBound <= count }) else {
            return self.peerViolated(key, error: TransferError(.protocolViolation, "the peer claims chunks that the file does not have"), now: now)
        }
        if self.gain(key, ranges.map(\.indices)) { self.noteProgress(key, now: now) }
        self.schedule(now: now)
    }

    /// Returns whether that is news. What is known already costs a step for 64 chunks, and is no sign of life: a peer could repeat it for ever.
    mutating func gain(_ key: PeerKey, _ ranges: [Range<Int>]) -> Bool {
        guard let layout = self.layout, var peer = self.peers[key] else { return false }
        var chunks: ChunkSet
        var isNews = peer.holdings == nil
        switch peer.holdings {
        case .complete: return false
        case .partial(let known): chunks = known
        case nil: chunks = ChunkSet(universe: layout.chunkCount)
        }
        peer.holdings = nil  // The set below is the only reference now, so it is changed in place.
        self.peers[key] = peer
        for range in ranges {
            var next = chunks.firstAbsent(from: range.lowerBound)
            while let index = next, index < range.upperBound {
                chunks.insert(index)
                isNews = true
                if self.phase == .transferring { self.picker.partialHolderGained(index) }
                next = chunks.firstAbsent(from: index + 1)
            }
        }
        if chunks.count == layout.chunkCount {
            self.peers[key]?.holdings = .complete
            if self.phase == .transferring { self.picker.partialHolderRemoved(chunks) }
        } else {
            self.peers[key]?.holdings = .partial(chunks)
        }
        return isNews
    }

    /// Returns whether that is news.
    mutating func becomeComplete(_ key: PeerKey) -> Bool {
        if case .complete = self.peers[key]?.holdings { return false }
        if case .partial(let chunks) = self.peers[key]?.holdings, self.phase == .transferring { self.picker.partialHolderRemoved(chunks) }
        self.peers[key]?.holdings = .complete
        return true
    }
}
