import DIGContent

extension DownloadStateMachine {
    mutating func schedule(now: Instant) {
        guard self.phase != .finished else { return }
        if self.phase == .transferring {
            if self.picker.isComplete, self.checksInProgress == 0 {
                for (key, peer) in self.peers {
                    for request in peer.requests where !request.awaited.isEmpty { self.actions.append(.cancel(key, request.range)) }
                }
                self.phase = .finished
                self.starvedSince = nil
                self.actions.append(.finish)
                return
            }
            self.scheduleChunks(now: now)
            self.scheduleHashes(now: now)
        }
        self.updateStarvation(now: now)
    }

    mutating func updateStarvation(now: Instant) {
        let isFed = self.phase == .preparing || self.connectingCount > 0 || self.checksInProgress > 0 || self.peers.values.contains { $0.isAwaited || $0.pausedUntil != nil }
        if isFed {
            self.starvedSince = nil
        } else if self.starvedSince == nil {
            self.starvedSince = now
            // Nobody says that it is a file, and somebody that it is a folder: waiting would not change that.
            if self.peers.isEmpty, self.descriptor == nil, self.failures.contains(where: { $0.error.code == .isFolder }) {
                self.failWithoutHolders()
            }
        }
    }

    func windowChunkCount(_ peer: Peer, chunkByteCount: Int) -> Int {
        if let concurrency = self.configuration.concurrency {
            return max(1, min(concurrency, self.configuration.peerConcurrency ?? concurrency))
        }
        if let peerConcurrency = self.configuration.peerConcurrency { return max(1, peerConcurrency) }
        return min(self.configuration.maximumWindowChunkCount, max(1, peer.window.byteCount / max(1, chunkByteCount)))
    }

    mutating func scheduleChunks(now: Instant) {
        guard let layout = self.layout else { return }
        let requestLimit = Self.maximumRequestChunkCount(chunkByteCount: layout.chunkByteCount)
        var total = 0
        for peer in self.peers.values { total += peer.outstandingCount }
        let totalLimit = self.configuration.concurrency.map { max(1, $0) } ?? Int.max
        for key in self.keysByRate(now: now) {
            guard var peer = self.peers[key], let holdings = peer.holdings, !peer.isStalled, peer.pausedUntil == nil,
                peer.isDescribed || layout.chunkCount == 1
            else { continue }
            let window = self.windowChunkCount(peer, chunkByteCount: layout.chunkByteCount)
            // A quarter of the window at a time, so that a fast peer gets long requests and not one chunk after each that came.
            let batch = min(requestLimit, max(1, window / 4))
            var isSupplied = true
            while total < totalLimit {
                let room = min(window - peer.outstandingCount, totalLimit - total)
                guard room >= min(batch, totalLimit - total) else { break }
                let range: Range<Int>
                if let picked = self.picker.pick(from: holdings, limit: min(room, requestLimit), segment: SegmentTable.nodeCount) {
                    range = picked
                } else if peer.requests.isEmpty, let duplicate = self.duplicate(for: key, holdings: holdings, limit: min(room, requestLimit), now: now) {
                    range = duplicate
                } else {
                    isSupplied = false
                    break
                }
                guard let awaited = AwaitedChunks(range), let hashes = self.segments?.hashes(of: range) else {
                    for index in range { self.picker.release(index) }
                    break
                }
                if peer.requests.isEmpty {
                    peer.window.startedAfterIdle(now: now)
                    if !peer.isAwaited { peer.lastProgress = now }
                }
                peer.requests.append(Request(awaited: awaited, requestedAt: now, measuresRoundTrip: peer.requests.isEmpty))
                peer.outstandingCount += range.count
                total += range.count
                self.actions.append(.getChunks(key, range, hashes: hashes))
            }
            if isSupplied { peer.window.filled() }
            self.peers[key] = peer
        }
    }

    /// The fastest first: it matters when there is less to ask for than there is room.
    mutating func keysByRate(now: Instant) -> [PeerKey] {
        guard self.peers.count > 1 else { return Array(self.peers.keys) }
        var rates: [(key: PeerKey, rate: Double)] = []
        for key in self.peers.keys {
            let rate = self.peers[key]?.meter.rate(now: now) ?? 0
            rates.append((key, rate))
        }
        rates.sort { $0.rate != $1.rate ? $0.rate > $1.rate : $0.key < $1.key }
        return rates.map(\.key)
    }

    /// Near the end, an idle peer takes over chunks for which a slower one would need much longer.
    mutating func duplicate(for key: PeerKey, holdings: ChunkHoldings, limit: Int, now: Instant) -> Range<Int>? {
        guard self.configuration.maximumRequesterCount > 1, self.picker.pickableCount == 0, let layout = self.layout, self.peers.count > 1 else { return nil }
        let chunkByteCount = Double(layout.chunkByteCount)
        let ownRate = self.peers[key]?.meter.rate(now: now) ?? 0
        let roundTrip = self.peers[key]?.window.shortestRoundTrip?.seconds ?? 0
        // A peer that has shown nothing yet may try when the owner needs more than a few seconds.
        let own = ownRate > 0 ? roundTrip + chunkByteCount / ownRate : 1
        var best: (seconds: Double, request: Request)?
        for other in self.peers.keys where other != key {
            guard var owner = self.peers[other] else { continue }
            let rate = owner.meter.rate(now: now)
            self.peers[other] = owner
            var queued = 0
            for request in owner.requests where !request.isReleased {
                queued += request.awaited.count
                let seconds = rate > 0 ? Double(queued) * chunkByteCount / rate : 10
                guard seconds > 2 * own + 0.05, seconds > best?.seconds ?? 0,
                    request.awaited.chunks.contains(where: { self.isDuplicable($0, holdings) })
                else { continue }
                best = (seconds, request)
            }
        }
        guard let request = best?.request, let last = request.awaited.chunks.last(where: { self.isDuplicable($0, holdings) }) else { return nil }
        // From the back of the request, where its owner comes last.
        var start = last
        while start > request.range.lowerBound, last - start + 1 < limit, request.awaited.contains(start - 1),
            self.isDuplicable(start - 1, holdings)
        {
            start -= 1
        }
        for index in start...last { _ = self.picker.addRequester(index) }
        return start..<last + 1
    }

    func isDuplicable(_ index: Int, _ holdings: ChunkHoldings) -> Bool {
        self.picker.state(of: index) == .requested && self.picker.requesterCount(of: index) < self.configuration.maximumRequesterCount
            && holdings.contains(index)
    }
}
