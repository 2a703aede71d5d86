import DIGIdentity

/// A sealed message in the mailbox of a peer, signed by its sender.
struct Letter: Hashable, Sendable {
    static let domain = "dig-dht-letter"
    static let payloadType = Array("/dig/letter/1.0.0".utf8)
    /// The encoded envelope.
    static let maximumByteCount = 6 << 10
    static let maximumCiphertextByteCount = 5 << 10
    /// As that of a signaling message.
    static let maximumLifetimeMilliseconds: UInt64 = 600_000

    var sender: PeerID
    var recipient: PeerID
    var sequence: UInt64
    /// Unix time.
    var expiresAtMilliseconds: UInt64
    var encapsulatedKey: [UInt8]
    var ciphertext: [UInt8]

    /// Where the letters for `recipient` are kept.
    static func key(for recipient: PeerID) -> [UInt8] { Array("\(Self.keyPrefix)\(recipient)".utf8) }
    static let keyPrefix = "/dig/mailbox/"
}
