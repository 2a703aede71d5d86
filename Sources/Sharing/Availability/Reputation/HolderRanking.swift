import DIGIdentity

/// Whom to ask first.
///
/// Unavailable holders are left out. Available ones come before suspect ones; an available holder that has disappointed this node twice and never
/// pleased it (``ReputationScore/isDoubtful``) is no better an option than a suspect one and stands among them. And a suspect holder that has lately proven to
/// this node itself that it has the content is no worse an option than a claim that nobody has tried: it stands among the available. Otherwise whoever slanders
/// all holders of a content would put first those who lie. Within each group the score decides:
///
///     0.60 reputation (0.45 success, 0.25 quality, 0.15 stability, 0.15 speed)
///     0.15 same local network
///     0.10 path       connected 1, direct 0.8, unknown 0.5, punched 0.5, relayed 0.2
///     0.10 latency    1 / (1 + round trip / 100 ms), unknown 0.5
///     0.05 NAT        none 1, endpoint-independent 0.7, unknown 0.5, address-dependent 0.5, symmetric 0.2
///
/// Equal scores are ordered by a hash of the peer and a salt of this node, so that not all nodes ask the same holder first. Nothing that a peer says of
/// itself but its NAT, which counts least, moves its place.
public enum HolderRanking {
    /// Best first.
    ///
    /// - Parameter isLiteral: The seed to the letter: the status alone makes the groups.
    public static func rank(_ candidates: [HolderCandidate], salt: UInt64 = 0, isLiteral: Bool = false) -> [HolderCandidate] {
        let usable = candidates.filter { $0.status != .unavailable }.map { (candidate: $0, group: Self.group($0, isLiteral), score: Self.score($0), tie: Self.tie($0, salt)) }
        return usable.sorted { lhs, rhs in
            if lhs.group != rhs.group { return lhs.group < rhs.group }
            if lhs.score != rhs.score { return lhs.score > rhs.score }
            return lhs.tie != rhs.tie ? lhs.tie < rhs.tie : lhs.candidate.peer < rhs.candidate.peer
        }.map(\.candidate)
    }

    /// From 0 to 1.
    public static func score(_ candidate: HolderCandidate) -> Double {
        0.6 * candidate.reputation.value + (candidate.isLocal ? 0.15 : 0) + 0.1 * Self.value(candidate.path) + 0.1 * Self.value(candidate.latency)
            + 0.05 * Self.value(candidate.nat)
    }

    /// Whether it is to be used only when nothing better is left.
    public static func isDoubtful(_ candidate: HolderCandidate, isLiteral: Bool = false) -> Bool { Self.group(candidate, isLiteral) > 0 }

    private static func group(_ candidate: HolderCandidate, _ isLiteral: Bool) -> Int {
        let isAvailable = candidate.status == .available
        if isLiteral { return isAvailable ? 0 : 1 }
        return candidate.hasProven || isAvailable && !candidate.reputation.isDoubtful ? 0 : 1
    }

    private static func value(_ path: HolderCandidate.Path) -> Double {
        switch path {
        case .connected: 1
        case .direct: 0.8
        case .punched, .unknown: 0.5
        case .relayed: 0.2
        }
    }

    private static func value(_ nat: HolderCandidate.NAT) -> Double {
        switch nat {
        case .none: 1
        case .endpointIndependent: 0.7
        case .addressDependent, .unknown: 0.5
        case .symmetric: 0.2
        }
    }

    private static func value(_ latency: Duration?) -> Double { latency.map { 1 / (1 + Double($0.millisecondCount) / 100) } ?? 0.5 }

    /// FNV-1a.
    private static func tie(_ candidate: HolderCandidate, _ salt: UInt64) -> UInt64 {
        candidate.peer.bytes.reduce(0xcbf2_9ce4_8422_2325 ^ salt) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }
}
