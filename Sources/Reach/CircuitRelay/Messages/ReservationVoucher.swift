import DIGIdentity

/// A relay's signed word that it serves a peer (circuit-v2, "Reservation Vouchers"). Travels in a `SignedEnvelope`.
struct ReservationVoucher: Hashable, Sendable {
    static let domain = "libp2p-relay-rsvp"
    /// The multicodec `libp2p-relay-rsvp`, 0x0302, in two bytes as the network writes it.
    static let payloadType: [UInt8] = [0x03, 0x02]

    var relay: PeerID
    var peer: PeerID
    /// Unix time.
    var expirationSeconds: UInt64

    /// Signs the voucher.
    ///
    /// - Throws: `IdentityError` with `.signerMismatch` if the key is not the relay's, or `.signingFailed`.
    func sealed(with keyPair: KeyPair) throws(IdentityError) -> SignedEnvelope {
        guard self.relay == keyPair.peerID else {
            throw IdentityError(.signerMismatch, "only \(self.relay) can sign its vouchers, not \(keyPair.peerID)")
        }
        return try SignedEnvelope.seal(domain: Self.domain, payloadType: Self.payloadType, payload: self.encoded, with: keyPair)
    }

    /// Opens an envelope with a voucher of the relay that signed it.
    ///
    /// - Throws: `IdentityError` with `.invalidEnvelope`, `.invalidSignature`, `.invalidRecord` or `.signerMismatch`.
    init(opening envelope: SignedEnvelope) throws(IdentityError) {
        try self.init(decoding: try envelope.open(domain: Self.domain, payloadType: Self.payloadType))
        guard self.relay.matches(envelope.publicKey) else {
            throw IdentityError(.signerMismatch, "\(envelope.publicKey.peerID) signed a voucher of \(self.relay)")
        }
    }

    init(relay: PeerID, peer: PeerID, expirationSeconds: UInt64) {
        self.relay = relay
        self.peer = peer
        self.expirationSeconds = expirationSeconds
    }
}
