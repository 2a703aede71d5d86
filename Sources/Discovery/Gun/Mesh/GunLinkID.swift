/// One connection to another peer of GUN.
public struct GunLinkID: Hashable, Sendable, Comparable {
    let rawValue: UInt64
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}
