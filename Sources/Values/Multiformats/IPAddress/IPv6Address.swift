/// An IPv6 address without a zone.
public struct IPv6Address: Hashable, Sendable {
    /// The first 64 bits.
    public var high: UInt64
    /// The last 64 bits.
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Takes exactly sixteen bytes in network order.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        self.high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        self.low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The IPv4-mapped form, `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2).
    public init(mapping address: IPv4Address) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(address.rawValue))
    }

    /// The sixteen bytes in network order.
    public var bytes: [UInt8] {
        (0..<16).map { index in
            UInt8(truncatingIfNeeded: (index < 8 ? self.high : self.low) >> UInt64(56 - 8 * (index % 8)))
        }
    }

    /// `::`.
    public static let any = Self(high: 0, low: 0)
    /// `::1`.
    public static let loopback = Self(high: 0, low: 1)

    /// The IPv4 address inside an IPv4-mapped address, `nil` for any other.
    public var mappedIPv4: IPv4Address? {
        guard self.high == 0, self.low >> 32 == 0xffff else { return nil }
        return IPv4Address(rawValue: UInt32(truncatingIfNeeded: self.low))
    }

    /// The IPv4 address that a packet to this one ends up at: IPv4-mapped (RFC 4291 §2.5.5.2), IPv4-translated
    /// (RFC 2765), NAT64 (RFC 6052 §2.1) and 6to4 (RFC 3056 §2) forms; `nil` for any other address.
    public var embeddedIPv4: IPv4Address? {
        if let mapped = self.mappedIPv4 { return mapped }
        if self.high == 0, self.low >> 32 == 0xffff_0000 { return IPv4Address(rawValue: UInt32(truncatingIfNeeded: self.low)) }
        if self.high == 0x0064_ff9b_0000_0000, self.low >> 32 == 0 { return IPv4Address(rawValue: UInt32(truncatingIfNeeded: self.low)) }
        if self.high >> 48 == 0x2002 { return IPv4Address(rawValue: UInt32(truncatingIfNeeded: self.high >> 16)) }
        return nil
    }

    /// An address that embeds an IPv4 address has the scope of that one.
    public var scope: AddressScope {
        if let inside = self.embeddedIPv4 { return inside.scope }
        if self == .any { return .unspecified }
        if self == .loopback { return .loopback }
        for (prefix, length, scope) in Self.specialPurpose where self.high >> (64 - length) == prefix >> (64 - length) {
            return scope
        }
        // IANA IPv6 Global Unicast Address Assignments: only 2000::/3 is in use.
        return self.high >> 61 == 1 ? .global : .reserved
    }

    /// IANA IPv6 Special-Purpose Address Registry; the first match counts. No prefix is longer than 64 bits.
    private static let specialPurpose: [(prefix: UInt64, length: UInt64, scope: AddressScope)] = [
        (0x0064_ff9b_0001_0000, 48, .private),  // RFC 8215
        (0x2001_0000_0000_0000, 23, .reserved),  // RFC 2928: Teredo, benchmarking, ORCHID
        (0x2001_0db8_0000_0000, 32, .documentation),  // RFC 3849
        (0x3fff_0000_0000_0000, 20, .documentation),  // RFC 9637
        (0xfc00_0000_0000_0000, 7, .private),  // RFC 4193
        (0xfe80_0000_0000_0000, 10, .linkLocal),  // RFC 4291 §2.5.6
        (0xfec0_0000_0000_0000, 10, .private),  // RFC 3879
        (0xff00_0000_0000_0000, 8, .multicast),  // RFC 4291 §2.7
    ]

    /// The eight groups of sixteen bits.
    private var groups: [UInt16] {
        (0..<8).map { index in
            UInt16(truncatingIfNeeded: (index < 4 ? self.high : self.low) >> UInt64(48 - 16 * (index % 4)))
        }
    }
}

extension IPv6Address: LosslessStringConvertible {
    /// Parses the forms of RFC 4291 §2.2. No zone, no prefix length.
    public init?(_ description: String) {
        guard description.utf8.count <= 45 else { return nil }  // 39 for eight groups, 45 with an IPv4 tail
        let halves = Self.split(Array(description.utf8))
        guard let head = halves.first, halves.count <= 2 else { return nil }
        let isCompressed = halves.count == 2
        guard let front = Self.parseGroups(head, mayEndInIPv4: !isCompressed) else { return nil }
        guard let tail = halves.dropFirst().first else {
            guard front.count == 8 else { return nil }
            self.init(groups: front)
            return
        }
        guard let back = Self.parseGroups(tail, mayEndInIPv4: true), front.count + back.count <= 7 else { return nil }
        self.init(groups: front + [UInt16](repeating: 0, count: 8 - front.count - back.count) + back)
    }

    /// RFC 5952: lower case, no leading zeros, the first of the longest runs of zero groups as `::`, mapped addresses
    /// in mixed notation.
    public var description: String {
        if let mapped = self.mappedIPv4 { return "::ffff:\(mapped)" }
        let groups = self.groups
        var longest = 0..<0
        var start = 0
        while start < groups.count {
            guard groups[start] == 0 else {
                start += 1
                continue
            }
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start > longest.count { longest = start..<end }
            start = end
        }
        func text(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        // §4.2.2: one zero group is not shortened.
        guard longest.count > 1 else { return text(0..<8) }
        return text(0..<longest.lowerBound) + "::" + text(longest.upperBound..<8)
    }

    /// `groups` has eight elements.
    private init(groups: [UInt16]) {
        self.high = groups.prefix(4).reduce(0) { $0 << 16 | UInt64($1) }
        self.low = groups.dropFirst(4).reduce(0) { $0 << 16 | UInt64($1) }
    }

    /// Splits at each `::`. More than two parts, or three colons in a row, are no address.
    private static func split(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var start = 0
        var index = 0
        while index + 1 < text.count {
            if text[index] == UInt8(ascii: ":"), text[index + 1] == UInt8(ascii: ":") {
                parts.append(text[start..<index])
                start = index + 2
                index = start
            } else {
                index += 1
            }
        }
        parts.append(text[start...])
        return parts
    }

    private static func parseGroups(_ text: ArraySlice<UInt8>, mayEndInIPv4: Bool) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if mayEndInIPv4, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let address = IPv4Address(String(decoding: part, as: UTF8.self)) else { return nil }
                groups.append(UInt16(truncatingIfNeeded: address.rawValue >> 16))
                groups.append(UInt16(truncatingIfNeeded: address.rawValue))
            } else {
                guard (1...4).contains(part.count) else { return nil }
                var value: UInt16 = 0
                for character in part {
                    guard let digit = Self.hexadecimalValue(of: character) else { return nil }
                    value = value << 4 | UInt16(digit)
                }
                groups.append(value)
            }
        }
        return groups.count <= 8 ? groups : nil
    }

    private static func hexadecimalValue(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
