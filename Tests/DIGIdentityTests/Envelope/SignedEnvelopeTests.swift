import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Testing

@Suite("Signed envelope")
struct SignedEnvelopeTests {
    /// A peer record in an envelope, made by hand from RFC 0002 and 0003 with pyca/cryptography and the Ed25519 key of
    /// the peer-ids specification.
    static let encoded = bytes(
        """
        0a24080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e120203011a550a260024080112201ed1e8fae2c4
        a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e10bdaadeec051a0a0a0804c0000201060fa11a190a172920010db80000000000
        0000000000000191020fa1cd032a408a64b273240b62281a77cd6805c89a0ec3bab923e87911d5c9bfa7b254ae560d9a5bd36d21958cd2c74146
        b60e62d9b0a9c80edb00ca792f66c8b219ff12cc03
        """)

    static func record() throws -> PeerRecord {
        try PeerRecord(
            peer: PublicKey(protobufEncoded: PeerIDsVectors.ed25519PublicKey).peerID, sequence: 1_570_215_229,
            addresses: [Multiaddr("/ip4/192.0.2.1/tcp/4001"), Multiaddr("/ip6/2001:db8::1/udp/4001/quic-v1")])
    }

    @Test("opens one made elsewhere, and makes the same bytes")
    func pinned() throws {
        let envelope = try SignedEnvelope(decoding: Self.encoded)
        #expect(envelope.publicKey.protobufEncoded == PeerIDsVectors.ed25519PublicKey)
        #expect(try PeerRecord(opening: envelope) == Self.record())
        #expect(envelope.encoded == Self.encoded)
        let own = try Self.record().sealed(with: KeyPair(protobufEncoded: PeerIDsVectors.ed25519PrivateKey))
        #expect(own.encoded == Self.encoded)
    }

    @Test("no flipped bit passes, in any byte")
    func flipped() {
        for index in Self.encoded.indices {
            for bit in 0..<8 {
                var damaged = Self.encoded
                damaged[index] ^= 1 << UInt8(bit)
                #expect(throws: IdentityError.self, "byte \(index), bit \(bit)") {
                    try PeerRecord(opening: SignedEnvelope(decoding: damaged))
                }
            }
        }
    }

    @Test("no strict prefix passes")
    func prefixes() {
        for count in 0..<Self.encoded.count {
            #expect(throws: IdentityError.self, "\(count) bytes") {
                try PeerRecord(opening: SignedEnvelope(decoding: Self.encoded.prefix(count)))
            }
        }
    }

    @Test("holds for one domain and one type only", arguments: KeyAlgorithm.allCases)
    func domains(algorithm: KeyAlgorithm) throws {
        let pair = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        let sealed = try SignedEnvelope.seal(domain: "one", payloadType: [1], payload: [1, 2, 3], with: pair)
        let envelope = try SignedEnvelope(decoding: sealed.encoded)
        #expect(envelope == sealed)
        #expect(try envelope.open(domain: "one", payloadType: [1]) == [1, 2, 3])
        #expect(throws: IdentityError(.invalidSignature, "")) { try envelope.verify(domain: "two") }
        #expect(throws: IdentityError(.invalidSignature, "")) { try envelope.open(domain: "", payloadType: [1]) }
        #expect(throws: IdentityError(.invalidEnvelope, "")) { try envelope.open(domain: "one", payloadType: [2]) }
    }

    @Test("keeps to its limits")
    func limits() throws {
        let pair = try KeyPair.generate()
        let code = IdentityError(.invalidEnvelope, "")
        #expect(throws: code) { try SignedEnvelope(decoding: [UInt8](repeating: 0, count: SignedEnvelope.maximumByteCount + 1)) }
        let long = [UInt8](repeating: 0, count: SignedEnvelope.maximumByteCount)
        #expect(throws: code) { try SignedEnvelope.seal(domain: "d", payloadType: [1], payload: long, with: pair) }
        #expect(throws: code) { try SignedEnvelope.seal(domain: "d", payloadType: Array(long.prefix(129)), payload: [], with: pair) }
        #expect(throws: IdentityError(.invalidPublicKey, "")) { try SignedEnvelope(decoding: []) }
        #expect(throws: code) { try SignedEnvelope(decoding: [0xff]) }
    }

    @Test("damaged envelopes and records never trap, and pass only if they say the same")
    func damaged() throws {
        var generator = SeededGenerator(seed: 8)
        let record = try Self.record()
        for _ in 0..<3000 {
            let bytes = generator.mutated(Self.encoded)
            do throws(IdentityError) { #expect(try PeerRecord(opening: SignedEnvelope(decoding: bytes)) == record) } catch {}
        }
        // Signed by its peer, so that the damage reaches the record's own decoder.
        let pair = try KeyPair(protobufEncoded: PeerIDsVectors.ed25519PrivateKey)
        let payload = try SignedEnvelope(decoding: Self.encoded).payload
        for _ in 0..<1000 {
            let envelope = try SignedEnvelope.seal(
                domain: PeerRecord.domain, payloadType: PeerRecord.payloadType, payload: generator.mutated(payload), with: pair)
            do throws(IdentityError) {
                let opened = try PeerRecord(opening: envelope)
                #expect(opened.peer == pair.peerID)
                #expect(opened.addresses.count <= PeerRecord.maximumAddressCount)
            } catch {
                #expect([.invalidRecord, .signerMismatch].contains(error.code))
            }
        }
    }
}
