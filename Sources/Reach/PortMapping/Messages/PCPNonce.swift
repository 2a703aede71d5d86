/// Ninety-six random bits that tie a mapping to whoever made it (RFC 6887 §11.2).
struct PCPNonce: Hashable, Sendable {
    var high: UInt32
    var low: UInt64

    init(high: UInt32, low: UInt64) {
        self.high = high
        self.low = low
    }

    init(using generator: inout some RandomNumberGenerator) {
        self.init(high: UInt32.random(in: .min ... .max, using: &generator), low: UInt64.random(in: .min ... .max, using: &generator))
    }
}
