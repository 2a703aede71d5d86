/// What this node's own experience says of a peer.
public struct Reputation: Hashable, Sendable, Codable {
    /// It gave what it claims to have.
    public private(set) var success = DecayingBeta()
    /// It could be reached, and stayed.
    public private(set) var stability = DecayingBeta()
    /// What it gave was right.
    public private(set) var quality = DecayingBeta()
    /// What it reported of others was true.
    public private(set) var credibility = DecayingBeta()
    /// Bytes a second, moving average; `nil` before the first transfer.
    public private(set) var rate: Double?
    /// Milliseconds since 1970.
    public private(set) var seenAt: UInt64 = 0

    /// Ours: transfers shorter than this say nothing of the rate.
    static let minimumRateByteCount: UInt64 = 65_536
    /// Ours: how much a new measurement counts.
    static let rateSmoothing = 0.3
    /// Ours: one piece of wrong data counts as so many.
    static let corruptionWeight = 4.0
    /// Ours: a proof is one block, not a file.
    static let proofWeight = 0.5

    public init() {}

    /// As it was kept; nil for a rate that cannot be.
    init?(success: DecayingBeta, stability: DecayingBeta, quality: DecayingBeta, credibility: DecayingBeta, rate: Double?, seenAt: UInt64) {
        if let rate { guard rate.isFinite, rate >= 0 else { return nil } }
        self.success = success
        self.stability = stability
        self.quality = quality
        self.credibility = credibility
        self.rate = rate
        self.seenAt = seenAt
    }

    mutating func add(_ experience: Experience, nowMilliseconds now: UInt64, halfLife: UInt64) {
        func add(_ path: WritableKeyPath<Reputation, DecayingBeta>, good: Double = 0, bad: Double = 0) {
            self[keyPath: path].add(good: good, bad: bad, nowMilliseconds: now, halfLife: halfLife)
        }
        switch experience {
        case .transferred(let byteCount, let duration):
            add(\.success, good: 1)
            add(\.quality, good: 1)
            add(\.stability, good: 1)
            let milliseconds = duration.millisecondCount
            if byteCount >= Self.minimumRateByteCount, milliseconds > 0 {
                let measured = Double(byteCount) * 1_000 / Double(milliseconds)
                self.rate = self.rate.map { $0 + Self.rateSmoothing * (measured - $0) } ?? measured
            }
        case .missing: add(\.success, bad: 1)
        case .failed: add(\.success, bad: 1)
        case .corrupt:
            add(\.success, bad: 1)
            add(\.quality, bad: Self.corruptionWeight)
        case .connected: add(\.stability, good: 1)
        case .unreachable, .dropped: add(\.stability, bad: 1)
        case .proved: add(\.success, good: Self.proofWeight)
        case .disproved: add(\.success, bad: 1)
        case .reportConfirmed: add(\.credibility, good: 1)
        case .reportRefuted: add(\.credibility, bad: 1)
        }
        self.seenAt = max(self.seenAt, now)
    }

    /// How much is known of the peer, for what is forgotten first.
    func evidence(nowMilliseconds now: UInt64, halfLife: UInt64) -> Double {
        [self.success, self.stability, self.quality, self.credibility].reduce(0) { $0 + $1.evidence(nowMilliseconds: now, halfLife: halfLife) }
    }

    public func score(nowMilliseconds now: UInt64, halfLife: Duration) -> ReputationScore {
        let halfLife = halfLife.millisecondCount
        return ReputationScore(
            success: self.success.mean(nowMilliseconds: now, halfLife: halfLife), quality: self.quality.mean(nowMilliseconds: now, halfLife: halfLife),
            stability: self.stability.mean(nowMilliseconds: now, halfLife: halfLife), rate: self.rate)
    }

    /// What a report of this peer weighs when it is new, from 0 to 1.
    ///
    /// A reporter of whom nothing is known counts in full: reports only lead to the question for a proof. One whose reports were refuted counts less.
    func reportWeight(nowMilliseconds now: UInt64, halfLife: UInt64) -> Double {
        min(1, 2 * self.credibility.mean(nowMilliseconds: now, halfLife: halfLife))
    }
}
