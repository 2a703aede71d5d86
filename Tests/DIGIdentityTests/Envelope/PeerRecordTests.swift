import DIGIdentity
import DIGMultiformats
import Testing

@Suite("Peer record")
struct PeerRecordTests {
    @Test("is signed by its peer and nobody else")
    func signer() throws {
        let pair = try KeyPair.generate()
        let stranger = try KeyPair.generate()
        let record = PeerRecord(peer: pair.peerID, sequence: .max, addresses: [try Multiaddr("/ip4/192.0.2.1/tcp/1")])
        #expect(try PeerRecord(opening: record.sealed(with: pair)) == record)
        #expect(throws: IdentityError(.signerMismatch, "")) { try record.sealed(with: stranger) }
        // A stranger can still put its own signature under our record.
        let payload = try record.sealed(with: pair).payload
        let forged = try SignedEnvelope.seal(
            domain: PeerRecord.domain, payloadType: PeerRecord.payloadType, payload: payload, with: stranger)
        #expect(throws: IdentityError(.signerMismatch, "")) { try PeerRecord(opening: forged) }
    }

    @Test("leaves out addresses that are not understood")
    func unknownAddresses() throws {
        let pair = try KeyPair.generate()
        // Field 3 with field 1: protocol 5 is not assigned.
        let peerField = [0x0a, UInt8(pair.peerID.bytes.count)] + pair.peerID.bytes
        let payload = peerField + bytes("1005 1a04 0a02 0501 1a0a 0a08 04c0000201060fa1")
        let envelope = try SignedEnvelope.seal(
            domain: PeerRecord.domain, payloadType: PeerRecord.payloadType, payload: payload, with: pair)
        let record = try PeerRecord(opening: envelope)
        #expect(record.addresses == [try Multiaddr("/ip4/192.0.2.1/tcp/4001")])
        #expect(record.sequence == 5)
    }

    @Test("refuses signed nonsense, and too many addresses")
    func nonsense() throws {
        let pair = try KeyPair.generate()
        let peerField = [0x0a, UInt8(pair.peerID.bytes.count)] + pair.peerID.bytes
        let crowd = (0...PeerRecord.maximumAddressCount).flatMap { _ in bytes("1a0a 0a08 04c0000201060fa1") }
        for payload in [[], [0xff], bytes("0a02 1200"), peerField + crowd] {
            let envelope = try SignedEnvelope.seal(
                domain: PeerRecord.domain, payloadType: PeerRecord.payloadType, payload: payload, with: pair)
            #expect(throws: IdentityError(.invalidRecord, "")) { try PeerRecord(opening: envelope) }
        }
    }
}
