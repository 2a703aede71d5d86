import DIGContent

extension DownloadStateMachine {
    // MARK: - Hashes

    mutating func receivedHashes(_ answer: HashSegment, from key: PeerKey, now: Instant) {
        guard let peer = self.peers[key] else { return }
        guard let segments = self.segments, let descriptor = self.descriptor, answer.index >= 0,
            answer.index % SegmentTable.nodeCount == 0, peer.hashRequests.contains(answer.index / SegmentTable.nodeCount),
            segments.request(for: answer.index / SegmentTable.nodeCount).isAnswered(by: answer)
        else {
            return self.peerViolated(key, error: TransferError(.protocolViolation, "the peer sent hashes that were not asked for"), now: now)
        }
        let segment = answer.index / SegmentTable.nodeCount
        self.peers[key]?.hashRequests.remove(segment)
        self.noteProgress(key, now: now)
        guard case .requested(key) = segments.segments[segment] else {
            return self.schedule(now: now)  // A stalled peer's answer after another was asked.
        }
        do {
            try answer.verify(against: descriptor)
            self.learn(segment, hashes: segments.chunks(of: segment).indices.compactMap { answer.hash(at: $0 - answer.index) })
        } catch {
            self.segments?.set(segment, .unknown)
            let error = TransferError(.corruptHashes, "the peer's hashes do not lead to the root", cause: error)
            self.drop(key, error, isLie: true, now: now)
        }
        self.schedule(now: now)
    }

    mutating func hashesUnavailable(_ id: HashRequestID, from key: PeerKey, now: Instant) {
        guard self.peers[key] != nil else { return }
        let segment = id.index / SegmentTable.nodeCount
        if self.peers[key]?.hashRequests.remove(segment) != nil {
            self.noteProgress(key, now: now)
            self.peers[key]?.lackedSegments.insert(segment)
            self.segments?.giveUp(segment, by: key)
        }
        self.schedule(now: now)
    }

    mutating func learn(_ segment: Int, hashes: [SHA256Digest]) {
        guard let segments = self.segments else { return }
        let chunks = segments.chunks(of: segment)
        var claimed = ChunkBitmap(count: self.claimed.count)
        for index in chunks where self.claimed.contains(index) { claimed.insert(index) }
        if claimed.isEmpty {
            self.segments?.set(segment, .known(hashes))
            self.picker.unlock(chunks)
        } else {
            self.segments?.set(segment, .checking(hashes))
            self.checksInProgress += 1
            self.actions.append(.checkStored(chunks, claimed: claimed, hashes: hashes[0..<chunks.count]))
        }
    }

    // MARK: - Scheduling hashes

    mutating func scheduleHashes(now: Instant) {
        guard var segments = self.segments, !segments.areAllKnown, let layout = self.layout else { return }
        self.segments = nil  // Changed in place below.
        defer { self.segments = segments }
        var inFlight = self.peers.values.reduce(0) { $0 + $1.hashRequests.count }
        let windows = self.peers.values.reduce(0) { $0 + self.windowChunkCount($1, chunkByteCount: layout.chunkByteCount) }
        let ahead = max(SegmentTable.nodeCount, 2 * windows)
        while inFlight < Self.maximumHashRequestCount {
            guard let segment = self.wantedSegment(&segments, ahead: ahead, inFlight: inFlight), let key = self.hashSource(for: segment) else { return }
            segments.set(segment, .requested(key))
            if self.peers[key]?.isAwaited == false { self.peers[key]?.lastProgress = now }
            self.peers[key]?.hashRequests.insert(segment)
            inFlight += 1
            self.actions.append(.getHashes(key, segments.request(for: segment)))
        }
    }

    func wantedSegment(_ segments: inout SegmentTable, ahead: Int, inFlight: Int) -> Int? {
        for range in self.picker.priorities {
            for segment in segments.segment(of: range.lowerBound)...segments.segment(of: range.upperBound - 1) where segments.isUnknown(segment) {
                return segment
            }
        }
        if self.picker.pickableCount + inFlight * SegmentTable.nodeCount < ahead, let segment = segments.firstUnknown() { return segment }
        // A partial holder may have chunks only where no hash is known yet.
        for peer in self.peers.values where peer.requests.isEmpty && peer.hashRequests.isEmpty {
            guard case .partial(let chunks) = peer.holdings else { continue }
            for segment in segments.segments.indices where segments.isUnknown(segment) {
                let range = segments.chunks(of: segment)
                if let held = chunks.first(from: range.lowerBound), held < range.upperBound { return segment }
            }
        }
        return nil
    }

    /// Whoever has the fewest hash requests open. A peer that is not described yet may be asked if the descriptor is known: the request
    /// travels right behind `describe`.
    func hashSource(for segment: Int) -> PeerKey? {
        self.peers
            .filter { !$0.value.isStalled && $0.value.pausedUntil == nil && !$0.value.lackedSegments.contains(segment) && !$0.value.hashRequests.contains(segment) }
            .min { ($0.value.hashRequests.count, $0.value.isDescribed ? 0 : 1, $0.key) < ($1.value.hashRequests.count, $1.value.isDescribed ? 0 : 1, $1.key) }?
            .key
    }
}
