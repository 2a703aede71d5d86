import DIGContent

extension DownloadStateMachine {
    // MARK: - Time

    mutating func deadlineReached(now: Instant) {
        guard self.phase != .finished else { return }
        for key in self.peers.keys.sorted() {
            guard let peer = self.peers[key] else { continue }
            if let pausedUntil = peer.pausedUntil, now >= pausedUntil { self.peers[key]?.pausedUntil = nil }
            guard peer.isAwaited || peer.isStalled else { continue }
            let silence = now - peer.lastProgress
            let isLastStall = !peer.isStalled && peer.stallCount + 1 >= self.configuration.maximumStallCount
            if silence >= self.configuration.peerTimeout || (isLastStall && silence >= self.configuration.requestTimeout) {
                let error = TransferError(.stalled, "the peer sent nothing for \(Int(silence.seconds)) s")
                self.drop(key, error, isLie: false, now: now)
            } else if silence >= self.configuration.requestTimeout, !peer.isStalled {
                self.stall(key, now: now)
            }
        }
        self.schedule(now: now)
        if let starvedSince = self.starvedSince, now - starvedSince >= self.configuration.holderTimeout { self.failWithoutHolders() }
    }

    mutating func stall(_ key: PeerKey, now: Instant) {
        guard var peer = self.peers[key] else { return }
        peer.isStalled = true
        peer.stallCount += 1
        peer.window.stalled(now: now)
        for position in peer.requests.indices where !peer.requests[position].isReleased {
            for index in peer.requests[position].awaited.chunks { self.picker.release(index) }
            if position == 0 {
                peer.requests[position].isReleased = true
            } else {
                self.actions.append(.cancel(key, peer.requests[position].range))
            }
        }
        peer.requests.removeAll { !$0.isReleased }
        peer.outstandingCount = peer.requests.reduce(0) { $0 + $1.awaited.count }
        for segment in peer.hashRequests {
            self.segments?.giveUp(segment, by: key)
        }
        self.peers[key] = peer
    }

    mutating func noteProgress(_ key: PeerKey, now: Instant) {
        self.peers[key]?.lastProgress = now
        guard var peer = self.peers[key], peer.isStalled else { return }
        // It is still at its probe: what others have not brought meanwhile counts as asked of it again.
        peer.isStalled = false
        for position in peer.requests.indices where peer.requests[position].isReleased {
            peer.requests[position].isReleased = false
            for index in peer.requests[position].awaited.chunks where !self.picker.reclaim(index) {
                _ = peer.requests[position].awaited.take(index)
                peer.outstandingCount -= 1
            }
        }
        peer.requests.removeAll { $0.awaited.isEmpty }
        self.peers[key] = peer
    }

    // MARK: - Letting go

    mutating func drop(_ key: PeerKey, _ error: TransferError, isLie: Bool, now: Instant) {
        guard let peer = self.peers[key] else { return }
        if isLie { self.banned.insert(peer.peer) }
        self.actions.append(.dropPeer(key, error))
        self.forget(key, error: error, now: now)
    }

    mutating func forget(_ key: PeerKey, error: TransferError?, now: Instant) {
        guard var peer = self.peers.removeValue(forKey: key) else { return }
        for request in peer.requests where !request.isReleased {
            for index in request.awaited.chunks { self.picker.release(index) }
        }
        for segment in peer.hashRequests {
            self.segments?.giveUp(segment, by: key)
        }
        if case .partial(let chunks) = peer.holdings, self.phase == .transferring { self.picker.partialHolderRemoved(chunks) }
        if let error { self.record(PeerFailure(peer: peer.peer, error: error)) }
        let before = self.departed[peer.peer]?.verifiedByteCount ?? 0
        self.departed[peer.peer] = PeerStatistics(
            peer: peer.peer, verifiedByteCount: before + peer.verifiedByteCount, rate: 0, roundTrip: peer.window.shortestRoundTrip,
            outstandingChunkCount: 0, windowChunkCount: 0, stallCount: peer.stallCount, isStalled: false, isConnected: false)
        _ = peer.meter.rate(now: now)
    }

    mutating func record(_ failure: PeerFailure) {
        if self.failures.count == Self.maximumFailureCount { self.failures.removeFirst() }
        self.failures.append(failure)
    }

    /// No peer could change it.
    mutating func fail(_ error: TransferError) {
        guard self.phase != .finished else { return }
        self.phase = .finished
        self.actions.append(.fail(error))
    }

    mutating func failWithoutHolders() {
        if self.descriptor == nil, let folder = self.failures.first(where: { $0.error.code == .isFolder }) { return self.fail(folder.error) }
        let seconds = Int(self.configuration.holderTimeout.seconds)
        let kept = self.picker.verifiedCount > 0 ? "; \(self.picker.verifiedCount) of \(self.picker.chunkCount) chunks are kept" : ""
        let what = self.failures.isEmpty ? "nobody who holds it is connected" : "nobody who is connected can deliver the rest"
        self.fail(TransferError(.noHolders, "\(what), after waiting \(seconds) s\(kept). Start a holder and try again", peers: self.failures))
    }
}
