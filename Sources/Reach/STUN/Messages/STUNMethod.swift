/// What a STUN request asks for: 12 bits (RFC 8489 §5).
public struct STUNMethod: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16

    /// Nil above 0xfff.
    public init?(rawValue: UInt16) {
        guard rawValue <= 0xfff else { return nil }
        self.rawValue = rawValue
    }

    private init(known rawValue: UInt16) { self.rawValue = rawValue }

    /// From where does this come? RFC 8489 §3.
    public static let binding = Self(known: 0x001)
}
