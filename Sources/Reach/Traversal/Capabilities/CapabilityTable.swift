public import DIGIdentity

/// What is known of the peers' reachability: what they say, and what this node has seen itself, which counts more.
///
/// A peer is taken for direct-capable only when somebody got through to it: this node, or an independent dial-back that the peer's record
/// reports and no failure of ours contradicts. A record alone makes it worth one attempt.
public struct CapabilityTable: Sendable {
    /// The peers not heard of for longest are forgotten beyond this, those first of which there is nothing but their own word: anybody can make
    /// thousands.
    public static let maximumPeerCount = 4096

    private struct Entry: Sendable {
        var record: PeerConnectionCapabilities?
        var methods: [TraversalMethod: MethodStatistics] = [:]
        /// Milliseconds of Unix time.
        var lastDirectSuccess: UInt64?
        var lastDirectFailure: UInt64?
        var lastSeen: UInt64
    }

    private var entries: [PeerID: Entry] = [:]

    public init() {}

    /// Takes a record whose signature was checked. An older one than there is, or one that is out of date, changes nothing.
    ///
    /// - Returns: Whether it was taken.
    @discardableResult
    public mutating func add(_ record: PeerConnectionCapabilities, now: UInt64) -> Bool {
        guard record.isCurrent(at: now) else { return false }
        if let known = self.entries[record.peer]?.record, known.issuedAt >= record.issuedAt { return false }
        self.entries[record.peer, default: Entry(lastSeen: now)].record = record
        self.touch(record.peer, now: now)
        return true
    }

    /// Takes what came of an attempt of this node.
    public mutating func add(_ attempt: AttemptRecord, now: UInt64) {
        var entry = self.entries[attempt.peer] ?? Entry(lastSeen: now)
        entry.methods[attempt.method, default: .init()].add(attempt)
        let isDirect = attempt.method == .direct || attempt.method == .portMapping
        switch attempt.outcome {
        case .succeeded where isDirect: entry.lastDirectSuccess = now
        case .failed where isDirect: entry.lastDirectFailure = now
        default: break
        }
        self.entries[attempt.peer] = entry
        self.touch(attempt.peer, now: now)
    }

    private mutating func touch(_ peer: PeerID, now: UInt64) {
        self.entries[peer]?.lastSeen = now
        guard self.entries.count > Self.maximumPeerCount else { return }
        let oldest = self.entries.sorted { left, right in
            (left.value.methods.isEmpty ? 0 : 1, left.value.lastSeen) < (right.value.methods.isEmpty ? 0 : 1, right.value.lastSeen)
        }.prefix(Self.maximumPeerCount / 16)
        for (peer, _) in oldest { self.entries[peer] = nil }
    }

    public var count: Int { self.entries.count }

    /// The record that the peer signed, while it is current.
    public func record(of peer: PeerID, now: UInt64) -> PeerConnectionCapabilities? {
        self.entries[peer]?.record.flatMap { $0.isCurrent(at: now) ? $0 : nil }
    }

    /// How the peer is classified by proof.
    public func tier(of peer: PeerID, now: UInt64) -> ConnectionTier {
        guard let entry = self.entries[peer] else { return .unknown }
        switch (entry.lastDirectSuccess, entry.lastDirectFailure) {
        case (let success?, let failure?): return success >= failure ? .directCapable : .natRestricted
        case (.some, nil): return .directCapable
        case (nil, .some): return .natRestricted
        case (nil, nil): return self.record(of: peer, now: now)?.tier ?? .unknown
        }
    }

    /// Peers that accept direct connections, by proof.
    public func directCapablePeers(now: UInt64) -> [PeerID] {
        self.entries.keys.filter { self.tier(of: $0, now: now) == .directCapable }.sorted()
    }

    /// Those of them that relay for others, by their own word.
    public func dualRolePeers(now: UInt64) -> [PeerID] {
        self.directCapablePeers(now: now).filter { self.record(of: $0, now: now)?.relays == true }
    }

    /// What worked with the peer, as this node has seen it.
    public func statistics(of peer: PeerID) -> [TraversalMethod: MethodStatistics] { self.entries[peer]?.methods ?? [:] }
}
