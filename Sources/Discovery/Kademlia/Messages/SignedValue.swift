public import DIGIdentity

/// A value of the namespace `/dig`: signed, numbered and dated by the peer that its key names.
///
/// Keys are `/dig/NAME/PEER` with the peer in base 58. Of several values under one key the one with the highest number counts.
public struct SignedValue: Hashable, Sendable {
    static let domain = "dig-dht-value"
    static let payloadType = Array("/dig/value/1.0.0".utf8)

    public var owner: PeerID
    public var key: [UInt8]
    public var sequence: UInt64
    /// Unix time. No node keeps it for longer.
    public var expiresAtMilliseconds: UInt64
    public var value: [UInt8]

    public init(owner: PeerID, key: [UInt8], sequence: UInt64, expiresAtMilliseconds: UInt64, value: [UInt8]) {
        self.owner = owner
        self.key = key
        self.sequence = sequence
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.value = value
    }

    /// `/dig/NAME/PEER`.
    ///
    /// - Parameter name: Without `/`.
    public static func key(_ name: String, of owner: PeerID) -> [UInt8] { Array("/dig/\(name)/\(owner)".utf8) }
}
