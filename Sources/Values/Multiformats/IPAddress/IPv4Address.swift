/// An IPv4 address.
public struct IPv4Address: Hashable, Sendable {
    /// The address as a number, most significant byte first.
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        self.rawValue = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// Takes exactly four bytes in network order.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 else { return nil }
        self.rawValue = bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The four bytes in network order.
    public var bytes: [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: self.rawValue >> $0) }
    }

    /// `0.0.0.0`.
    public static let any = Self(rawValue: 0)
    /// `127.0.0.1`.
    public static let loopback = Self(127, 0, 0, 1)
    /// `255.255.255.255`.
    public static let broadcast = Self(rawValue: .max)

    public var scope: AddressScope {
        for (prefix, length, scope) in Self.specialPurpose where self.rawValue >> (32 - length) == prefix.rawValue >> (32 - length) {
            return scope
        }
        return .global
    }

    /// IANA IPv4 Special-Purpose Address Registry; the first match counts.
    private static let specialPurpose: [(prefix: IPv4Address, length: UInt32, scope: AddressScope)] = [
        (Self(0, 0, 0, 0), 32, .unspecified),
        (Self(0, 0, 0, 0), 8, .reserved),  // RFC 791 §3.2
        (Self(10, 0, 0, 0), 8, .private),  // RFC 1918
        (Self(100, 64, 0, 0), 10, .carrierGradeNAT),  // RFC 6598
        (Self(127, 0, 0, 0), 8, .loopback),  // RFC 1122 §3.2.1.3
        (Self(169, 254, 0, 0), 16, .linkLocal),  // RFC 3927
        (Self(172, 16, 0, 0), 12, .private),  // RFC 1918
        (Self(192, 0, 0, 0), 24, .reserved),  // RFC 6890 §2.1
        (Self(192, 0, 2, 0), 24, .documentation),  // RFC 5737
        (Self(192, 88, 99, 0), 24, .reserved),  // RFC 7526
        (Self(192, 168, 0, 0), 16, .private),  // RFC 1918
        (Self(198, 18, 0, 0), 15, .reserved),  // RFC 2544
        (Self(198, 51, 100, 0), 24, .documentation),  // RFC 5737
        (Self(203, 0, 113, 0), 24, .documentation),  // RFC 5737
        (Self(224, 0, 0, 0), 4, .multicast),  // RFC 5771
        (Self(240, 0, 0, 0), 4, .reserved),  // RFC 1112 §4, RFC 919
    ]
}

extension IPv4Address: LosslessStringConvertible {
    /// Parses four decimal numbers. A leading zero is refused: some readers take it for octal.
    public init?(_ description: String) {
        var value: UInt32 = 0
        var part: UInt32 = 0
        var digitCount = 0
        var dotCount = 0
        for character in description.utf8 {
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if digitCount > 0, part == 0 { return nil }
                part = part * 10 + UInt32(character - UInt8(ascii: "0"))
                digitCount += 1
                if part > 255 { return nil }
            case UInt8(ascii: "."):
                guard digitCount > 0, dotCount < 3 else { return nil }
                value = value << 8 | part
                part = 0
                digitCount = 0
                dotCount += 1
            default:
                return nil
            }
        }
        guard digitCount > 0, dotCount == 3 else { return nil }
        self.rawValue = value << 8 | part
    }

    public var description: String { self.bytes.map(String.init).joined(separator: ".") }
}
