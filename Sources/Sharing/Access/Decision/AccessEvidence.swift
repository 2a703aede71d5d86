public import DIGIdentity

/// What a peer has proven on one connection. It ends with the connection.
public struct AccessEvidence: Hashable, Sendable {
    /// Of each kind; a further one takes the place of the first.
    public static let maximumKeyCount = 4
    public static let maximumTokenCount = 16
    public static let maximumRingCount = 4

    /// Keys that have signed a challenge.
    public private(set) var keys: [PublicKey] = []
    /// Tokens of this host that this peer may use. Whether they are still good, each decision looks.
    public private(set) var tokens: [AccessToken] = []
    /// Digests of the rings in which membership was proven.
    public private(set) var rings: [[UInt8]] = []

    public init() {}

    public var isEmpty: Bool { self.keys.isEmpty && self.tokens.isEmpty && self.rings.isEmpty }

    public mutating func add(_ key: PublicKey) { Self.add(key, to: &self.keys, limit: Self.maximumKeyCount) }

    public mutating func add(_ token: AccessToken) { Self.add(token, to: &self.tokens, limit: Self.maximumTokenCount) }

    public mutating func add(ringDigest: [UInt8]) { Self.add(ringDigest, to: &self.rings, limit: Self.maximumRingCount) }

    private static func add<Value: Equatable>(_ value: Value, to values: inout [Value], limit: Int) {
        values.removeAll { $0 == value }
        if values.count >= limit { values.removeFirst() }
        values.append(value)
    }
}
