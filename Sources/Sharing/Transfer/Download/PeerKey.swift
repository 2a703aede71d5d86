/// Names one session with a peer within one download.
struct PeerKey: Hashable, Sendable, Comparable {
    var rawValue: UInt64

    static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}
