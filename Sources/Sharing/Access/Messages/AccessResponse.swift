import DIGIdentity

/// Step 3: the answer. The seed's fields, `peerId`, `publicKey`, `signature` and `timestamp`, and what else there is to show.
struct AccessResponse: Hashable, Sendable {
    struct Identity: Hashable, Sendable {
        /// The key's.
        var peer: PeerID
        var publicKey: PublicKey
        var signature: [UInt8]
    }

    /// 32 bytes: which challenge is answered.
    var nonce: [UInt8]
    /// Unix time by the clock of whoever answers.
    var timestampMilliseconds: UInt64
    /// Nil: whoever answers does not say who it is.
    var identity: Identity?
    /// Encoded, none of them checked.
    var tokens: [[UInt8]] = []
    /// Encoded, not checked.
    var membershipProof: [UInt8]?
}
