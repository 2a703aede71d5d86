/// The position of a chunk in a file, from 0.
public struct ChunkIndex: Hashable, Sendable, Comparable, Strideable, RawRepresentable, CustomStringConvertible {
    public var rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public var description: String { String(self.rawValue) }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }

    public func distance(to other: Self) -> Int { Int(other.rawValue) - Int(self.rawValue) }

    public func advanced(by n: Int) -> Self {
        Self(rawValue: UInt32(Int(self.rawValue) + n))
    }
}
