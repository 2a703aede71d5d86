import DIGIdentity
import Testing

@testable import DIGCircuitRelay

@Suite("reservation vouchers")
struct ReservationVoucherTests {
    private let relay: KeyPair
    private let peer: PeerID

    init() throws {
        self.relay = try KeyPair.generate()
        self.peer = try KeyPair.generate().peerID
    }

    @Test("a voucher is what its relay has signed")
    func roundTrip() throws {
        let voucher = ReservationVoucher(relay: self.relay.peerID, peer: self.peer, expirationSeconds: 1_700_000_000)
        let envelope = try voucher.sealed(with: self.relay)
        #expect(envelope.payloadType == [0x03, 0x02])
        #expect(try ReservationVoucher(opening: SignedEnvelope(decoding: envelope.encoded)) == voucher)
        // Canonical: fields in the order of their numbers.
        #expect(voucher.encoded == [0x0a, 0x26] + self.relay.peerID.bytes + [0x12, 0x26] + self.peer.bytes + [0x18, 0x80, 0xe2, 0xcf, 0xaa, 0x06])
    }

    @Test("nobody else can sign it, for another purpose it is worthless, and a changed byte shows")
    func forged() throws {
        let other = try KeyPair.generate()
        let voucher = ReservationVoucher(relay: self.relay.peerID, peer: self.peer, expirationSeconds: 5)
        #expect(throws: IdentityError(.signerMismatch, "")) { try voucher.sealed(with: other) }
        let forged = try SignedEnvelope.seal(
            domain: ReservationVoucher.domain, payloadType: ReservationVoucher.payloadType, payload: voucher.encoded, with: other)
        #expect(throws: IdentityError(.signerMismatch, "")) { try ReservationVoucher(opening: forged) }
        let elsewhere = try SignedEnvelope.seal(
            domain: PeerRecord.domain, payloadType: ReservationVoucher.payloadType, payload: voucher.encoded, with: self.relay)
        #expect(throws: IdentityError(.invalidSignature, "")) { try ReservationVoucher(opening: elsewhere) }
        let otherType = try SignedEnvelope.seal(
            domain: ReservationVoucher.domain, payloadType: PeerRecord.payloadType, payload: voucher.encoded, with: self.relay)
        #expect(throws: IdentityError(.invalidEnvelope, "")) { try ReservationVoucher(opening: otherType) }
        let bytes = try voucher.sealed(with: self.relay).encoded
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(throws: (any Error).self) { try ReservationVoucher(opening: SignedEnvelope(decoding: changed)) }
        }
    }

    @Test("no strict prefix of a payload is a voucher")
    func prefixes() {
        let bytes = ReservationVoucher(relay: self.relay.peerID, peer: self.peer, expirationSeconds: .max).encoded
        for count in bytes.indices {
            #expect(throws: IdentityError(.invalidRecord, "")) { try ReservationVoucher(decoding: Array(bytes.prefix(count))) }
        }
    }
}
