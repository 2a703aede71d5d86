import DIGIdentity
import DIGMultiformats

/// A peer's record whose signature and signer were checked, and the envelope to pass on.
struct SignedPeerRecord: Hashable, Sendable {
    /// Addresses of one peer that count; more are left out.
    static let maximumAddressCount = 16

    let peer: PeerID
    let sequence: UInt64
    /// Without `/p2p/…` of the peer itself.
    let addresses: [Multiaddr]
    let envelope: [UInt8]

    init(opening envelope: SignedEnvelope) throws(IdentityError) {
        try self.init(PeerRecord(opening: envelope), envelope: envelope.encoded)
    }

    init(decoding bytes: [UInt8]) throws(IdentityError) {
        try self.init(PeerRecord(opening: SignedEnvelope(decoding: bytes)), envelope: bytes)
    }

    private init(_ record: PeerRecord, envelope: [UInt8]) {
        self.peer = record.peer
        self.sequence = record.sequence
        self.addresses = Self.trimmed(record.addresses, of: record.peer)
        self.envelope = envelope
    }

    var canBePassedOn: Bool { self.envelope.count <= PeerExchangeLimits.maximumRecordByteCount }

    /// Without names that belong to somebody else, and not too many.
    static func trimmed(_ addresses: [Multiaddr], of peer: PeerID) -> [Multiaddr] {
        var kept: [Multiaddr] = []
        for address in addresses {
            guard kept.count < Self.maximumAddressCount else { break }
            // One that ends with somebody's name leads there, or over a relay to nobody in particular.
            if let named = address.peerID, named != peer { continue }
            let bare = address.removingPeerID()
            if !bare.components.isEmpty, !kept.contains(bare) { kept.append(bare) }
        }
        return kept
    }
}
