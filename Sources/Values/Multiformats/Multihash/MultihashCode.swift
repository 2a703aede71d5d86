extension Multihash {
    /// The number of a hash function in the multicodec table.
    public struct Code: Hashable, Sendable, RawRepresentable {
        public var rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        /// No hash: the digest is the data.
        public static let identity = Self(rawValue: 0x00)
        public static let sha2_256 = Self(rawValue: 0x12)
        public static let sha2_512 = Self(rawValue: 0x13)
    }
}
