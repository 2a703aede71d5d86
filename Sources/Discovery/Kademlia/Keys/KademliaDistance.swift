/// How far two keys are from each other.
public struct KademliaDistance: Hashable, Sendable, Comparable {
    let value: KademliaKey

    public static let zero = Self(value: KademliaKey(0, 0, 0, 0))

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.value < rhs.value }
}
