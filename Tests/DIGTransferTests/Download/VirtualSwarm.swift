import DIGContent
import DIGIdentity
import DIGTestSupport

@testable import DIGTransfer

/// Peers in virtual time around a ``DownloadStateMachine``: each has a rate and a round trip, and answers in order.
///
/// There are no bytes: the tree is made of random chunk hashes, and a peer's chunk is right or corrupt as the story says.
struct VirtualSwarm {
    struct Peer {
        var id: PeerID
        /// Bytes per second; 0: never answers.
        var rate: Double
        var roundTrip: Duration = .milliseconds(20)
        /// Nil: everything.
        var holds: Set<Int>?
        var corrupt: Set<Int> = []
        var lyingDescriptor = false
        var lyingHashes = false
        /// From then on nothing comes.
        var silentFrom: Duration = .seconds(1_000_000)
        var busyUntil: ContinuousClock.Instant
    }

    struct Event {
        var time: ContinuousClock.Instant
        var key: PeerKey
        var chunk: Int?
        var input: (inout DownloadStateMachine, ContinuousClock.Instant) -> Void
    }

    let start: ContinuousClock.Instant
    var now: ContinuousClock.Instant
    let descriptor: FileDescriptor
    let layer: TreeLayer
    let layout: ChunkLayout
    let prover: TreeProver
    var machine: DownloadStateMachine
    var peers: [PeerKey: Peer] = [:]
    var events: [Event] = []
    var outcome: Result<Void, TransferError>?
    var dropped: [PeerKey: TransferError] = [:]
    var requested: [PeerKey: Int] = [:]
    var cancelled: [PeerKey: Int] = [:]
    var maximumOutstanding: [PeerKey: Int] = [:]
    var maximumTotal = 0
    var verifiedOrder: [Int] = []
    var claimed: ChunkBitmap?
    var storedValid: Set<Int> = []
    var knownLayer = false

    init(
        chunkCount: Int, configuration: DownloadConfiguration = .init(), knowsDescriptor: Bool = false, seed: UInt64 = 1
    ) throws {
        var random = SeededGenerator(seed: seed)
        let size = UInt64(chunkCount) * 65536 - (chunkCount > 0 ? 1000 : 0)
        self.layout = try ChunkLayout(fileSize: size, layer: 2)
        let hashes = (0..<self.layout.chunkCount * 32).map { _ in UInt8.random(in: 0...255, using: &random) }
        self.layer = try TreeLayer(fileSize: size, layer: self.layout.treeLayer, rawBytes: hashes)
        self.descriptor = try self.layer.descriptor()
        self.prover = TreeProver(self.layer)
        self.start = .now
        self.now = self.start
        self.machine = DownloadStateMachine(
            contentHash: self.descriptor.contentHash, descriptor: knowsDescriptor ? self.descriptor : nil, configuration: configuration, now: self.start)
    }

    static func peerID() -> PeerID {
        // Only its identity matters here.
        (try? KeyPair.generate(.ed25519).peerID) ?? { preconditionFailure("no key") }()
    }

    mutating func add(_ key: UInt64, rate: Double, _ change: (inout Peer) -> Void = { _ in }) {
        var peer = Peer(id: Self.peerID(), rate: rate, busyUntil: self.now)
        change(&peer)
        self.peers[PeerKey(rawValue: key)] = peer
        _ = self.machine.peerAdded(PeerKey(rawValue: key), peer: peer.id, now: self.now)
        self.drain()
    }

    mutating func remove(_ key: UInt64) {
        let key = PeerKey(rawValue: key)
        self.events.removeAll { $0.key == key }
        self.machine.peerRemoved(key, error: TransferError(.disconnected, "gone"), now: self.now)
        self.drain()
    }

    func bytes(from key: UInt64) -> UInt64 {
        var machine = self.machine
        guard let id = self.peers[PeerKey(rawValue: key)]?.id else { return 0 }
        return machine.statistics(now: self.now).first { $0.peer == id }?.verifiedByteCount ?? 0
    }

    /// Runs until the end, or until `isDone`, or for `limit` of virtual time.
    mutating func run(limit: Duration = .seconds(10_000), until isDone: (Self) -> Bool = { _ in false }) {
        let end = self.now + limit
        self.drain()
        while self.outcome == nil, !isDone(self) {
            let event = self.events.indices.min { self.events[$0].time < self.events[$1].time }
            let deadline = self.machine.deadline
            if let event, deadline.map({ self.events[event].time <= $0 }) ?? true {
                let next = self.events.remove(at: event)
                guard next.time <= end else { return self.now = end }
                self.now = max(self.now, next.time)
                next.input(&self.machine, self.now)
            } else if let deadline {
                guard deadline <= end else { return self.now = end }
                self.now = max(self.now, deadline)
                self.machine.deadlineReached(now: self.now)
            } else {
                return
            }
            self.drain()
        }
    }

    mutating func drain() {
        while let action = self.machine.nextAction() { self.perform(action) }
        var total = 0
        for statistics in self.machine.statistics(now: self.now) where statistics.isConnected { total += statistics.outstandingChunkCount }
        self.maximumTotal = max(self.maximumTotal, total)
        for (key, peer) in self.peers {
            if let outstanding = self.machine.statistics(now: self.now).first(where: { $0.peer == peer.id })?.outstandingChunkCount {
                self.maximumOutstanding[key] = max(self.maximumOutstanding[key] ?? 0, outstanding)
            }
        }
    }

    private mutating func answer(_ key: PeerKey, after delay: Duration, chunk: Int? = nil, _ input: @escaping (inout DownloadStateMachine, ContinuousClock.Instant) -> Void) {
        guard let peer = self.peers[key], peer.rate > 0, self.now + delay - self.start < peer.silentFrom else { return }
        self.events.append(Event(time: self.now + delay, key: key, chunk: chunk, input: input))
    }

    private mutating func perform(_ action: DownloadStateMachine.Action) {
        switch action {
        case .describe(let key, _, let subscribes):
            guard let peer = self.peers[key] else { return }
            var description = ContentDescription(.file(size: self.descriptor.size, root: self.descriptor.root, chunkLayer: 2))
            if peer.lyingDescriptor { description.content = .file(size: self.descriptor.size + 1, root: self.descriptor.root, chunkLayer: 2) }
            self.answer(key, after: peer.roundTrip) { $0.described(key, as: description, now: $1) }
            guard subscribes else { return }
            if let holds = peer.holds {
                var bitmap = ChunkBitmap(count: self.layout.chunkCount)
                for chunk in holds { bitmap.insert(chunk) }
                let part = BitfieldPart.part(first: 0, bits: bitmap.bytes)
                self.answer(key, after: peer.roundTrip) { $0.receivedBitfield(part, from: key, now: $1) }
            } else {
                self.answer(key, after: peer.roundTrip) { $0.receivedBitfield(.complete, from: key, now: $1) }
            }
        case .prepareStorage:
            self.machine.storageReady(claimed: self.claimed, chunkLayer: self.knownLayer ? (0..<self.layer.nodeCount).compactMap { self.layer.node(at: $0) } : nil, now: self.now)
        case .getHashes(let key, let request):
            guard let peer = self.peers[key] else { return }
            guard var segment = try? self.prover.segment(layer: request.layer, index: request.index, count: request.count, proofLayers: request.proofLayers) else {
                let id = HashRequestID(layer: request.layer, index: request.index, count: request.count)
                return self.answer(key, after: peer.roundTrip) { $0.hashesUnavailable(id, from: key, now: $1) }
            }
            if peer.lyingHashes {
                var hashes = segment.hashes
                hashes[3] ^= 1
                segment = HashSegment(layer: segment.layer, index: segment.index, count: segment.count, hashes: hashes, uncles: segment.uncles)
            }
            let answer = segment
            self.answer(key, after: peer.roundTrip) { $0.receivedHashes(answer, from: key, now: $1) }
        case .getChunks(let key, let range, let hashes):
            precondition(hashes.count == range.count)
            self.requested[key, default: 0] += range.count
            for chunk in range {
                guard let peer = self.peers[key] else { return }
                let begin = max(self.now + peer.roundTrip, peer.busyUntil)
                let finish = begin + .seconds(65536 / max(peer.rate, 1))
                self.peers[key]?.busyUntil = finish
                let corrupt = peer.corrupt.contains(chunk) ? [chunk] : []
                self.answer(key, after: finish - self.now, chunk: chunk) { $0.chunksChecked(chunk..<chunk + 1, corrupt: corrupt, from: key, now: $1) }
            }
        case .cancel(let key, let range):
            self.cancelled[key, default: 0] += range.count
            self.events.removeAll { event in event.key == key && event.chunk.map { range.contains($0) } ?? false }
        case .checkStored(let range, let claimed, _):
            var valid = ChunkBitmap(count: claimed.count)
            for run in claimed.ranges { for chunk in run where self.storedValid.contains(chunk) { valid.insert(chunk) } }
            self.machine.storedChecked(range, valid: valid, now: self.now)
        case .reportVerified(let range):
            self.verifiedOrder += Array(range)
        case .dropPeer(let key, let error):
            self.dropped[key] = error
            self.events.removeAll { $0.key == key }
        case .finish:
            self.outcome = .success(())
        case .fail(let error):
            self.outcome = .failure(error)
        }
    }
}
