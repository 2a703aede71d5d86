public import DIGMultiformats

/// The addresses of a peer as it states them itself (libp2p RFC 0003). Travels in a ``SignedEnvelope``.
public struct PeerRecord: Hashable, Sendable {
    /// What the network uses; the text of the RFC has an older name.
    public static let domain = "libp2p-peer-record"
    /// The multicodec `libp2p-peer-record`, 0x0301, in two bytes as the network writes it.
    public static let payloadType: [UInt8] = [0x03, 0x01]
    /// Ours: a record with more addresses is refused.
    public static let maximumAddressCount = 128

    public var peer: PeerID
    /// Of two records the one with the higher number counts.
    public var sequence: UInt64
    /// Some implementations end each with `/p2p/<peer>`, others do not. Addresses of protocols that are not known here
    /// are left out when decoding.
    public var addresses: [Multiaddr]

    public init(peer: PeerID, sequence: UInt64, addresses: [Multiaddr]) {
        self.peer = peer
        self.sequence = sequence
        self.addresses = addresses
    }

    /// Signs the record.
    ///
    /// - Throws: ``IdentityError`` with `.signerMismatch` if the key is not the peer's, or as
    ///   ``SignedEnvelope/seal(domain:payloadType:payload:with:)``.
    public func sealed(with keyPair: KeyPair) throws(IdentityError) -> SignedEnvelope {
        guard self.peer == keyPair.peerID else {
            throw IdentityError(.signerMismatch, "only \(self.peer) can sign its record, not \(keyPair.peerID)")
        }
        return try SignedEnvelope.seal(
            domain: Self.domain, payloadType: Self.payloadType, payload: self.encoded, with: keyPair)
    }

    /// Opens an envelope with a record of the peer that signed it.
    ///
    /// - Throws: ``IdentityError`` with `.invalidEnvelope`, `.invalidSignature`, `.invalidRecord` or `.signerMismatch`.
    public init(opening envelope: SignedEnvelope) throws(IdentityError) {
        // RFC 0003, "Certification / Verification": the signature first, the content after.
        try self.init(decoding: try envelope.open(domain: Self.domain, payloadType: Self.payloadType))
        guard self.peer.matches(envelope.publicKey) else {
            throw IdentityError(.signerMismatch, "\(envelope.publicKey.peerID) signed a record of \(self.peer)")
        }
    }
}
