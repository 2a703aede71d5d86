/// The 96 random bits that tie a response to its request (RFC 8489 §5). Whoever does not see the request cannot answer it.
public struct STUNTransactionID: Hashable, Sendable, CustomStringConvertible {
    public var high: UInt32
    public var low: UInt64

    public init(high: UInt32, low: UInt64) {
        self.high = high
        self.low = low
    }

    public static func random(using generator: inout some RandomNumberGenerator) -> Self {
        Self(high: UInt32.random(in: .min ... .max, using: &generator), low: UInt64.random(in: .min ... .max, using: &generator))
    }

    public static func random() -> Self {
        var generator = SystemRandomNumberGenerator()
        return Self.random(using: &generator)
    }

    /// The twelve bytes in network order.
    var bytes: [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: self.high >> $0) }
            + [56, 48, 40, 32, 24, 16, 8, 0].map { UInt8(truncatingIfNeeded: self.low >> UInt64($0)) }
    }

    public var description: String {
        self.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
