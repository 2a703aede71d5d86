/// The number of an attribute (RFC 8489 §18.3). Other protocols over STUN add theirs in extensions.
public struct STUNAttributeType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Whether an agent that does not know it must not go on (§14): below 0x8000.
    public var isComprehensionRequired: Bool { self.rawValue < 0x8000 }

    public var description: String { "0x" + String(self.rawValue, radix: 16) }

    // RFC 8489
    public static let mappedAddress = Self(rawValue: 0x0001)
    public static let username = Self(rawValue: 0x0006)
    public static let messageIntegrity = Self(rawValue: 0x0008)
    public static let errorCode = Self(rawValue: 0x0009)
    public static let unknownAttributes = Self(rawValue: 0x000a)
    public static let realm = Self(rawValue: 0x0014)
    public static let nonce = Self(rawValue: 0x0015)
    public static let messageIntegritySHA256 = Self(rawValue: 0x001c)
    public static let passwordAlgorithm = Self(rawValue: 0x001d)
    public static let userHash = Self(rawValue: 0x001e)
    public static let xorMappedAddress = Self(rawValue: 0x0020)
    public static let passwordAlgorithms = Self(rawValue: 0x8002)
    public static let alternateDomain = Self(rawValue: 0x8003)
    public static let software = Self(rawValue: 0x8022)
    public static let alternateServer = Self(rawValue: 0x8023)
    public static let fingerprint = Self(rawValue: 0x8028)

    // RFC 5780
    public static let changeRequest = Self(rawValue: 0x0003)
    public static let padding = Self(rawValue: 0x0026)
    public static let responsePort = Self(rawValue: 0x0027)
    public static let responseOrigin = Self(rawValue: 0x802b)
    public static let otherAddress = Self(rawValue: 0x802c)
}
