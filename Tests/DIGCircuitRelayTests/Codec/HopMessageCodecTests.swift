import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import NIOCore
import Testing

@testable import DIGCircuitRelay

@Suite("hop and stop messages")
struct CircuitMessageCodecTests {
    private let peer: PeerID
    private let address: Multiaddr

    init() throws {
        // The identity multihash of an Ed25519 key: 38 bytes.
        self.peer = try PeerID(bytes: [0x00, 0x24, 0x08, 0x01, 0x12, 0x20] + [UInt8](repeating: 7, count: 32))
        self.address = try Multiaddr("/ip4/192.0.2.1/tcp/4001")
    }

    private var hopMessages: [HopMessage] {
        [
            .reserve, .connect(self.peer), .status(.ok), .status(.noReservation),
            .status(
                .ok, reservation: ReservationGrant(expirationSeconds: 1_700_000_000, addresses: [self.address], voucher: [1, 2, 3]),
                limit: RelayLimit(durationSeconds: 120, byteCount: 1 << 17)),
            .status(.ok, reservation: ReservationGrant(expirationSeconds: 0, addresses: [], voucher: nil), limit: .unlimited),
        ]
    }

    private var stopMessages: [StopMessage] {
        [.connect(self.peer, limit: nil), .connect(self.peer, limit: RelayLimit(durationSeconds: 5, byteCount: nil)), .status(.ok), .status(.connectionFailed)]
    }

    @Test("the bytes are those of the specification")
    func pinned() {
        // type = 0 is required on the wire, so it is written.
        #expect(Array(HopMessage.reserve.encoded.readableBytesView) == [0x08, 0x00])
        #expect(Array(HopMessage.connect(self.peer).encoded.readableBytesView) == [0x08, 0x01, 0x12, 0x28, 0x0a, 0x26] + self.peer.bytes)
        #expect(Array(HopMessage.status(.noReservation).encoded.readableBytesView) == [0x08, 0x02, 0x28, 0xcc, 0x01])
        #expect(
            Array(HopMessage.status(.ok, reservation: nil, limit: RelayLimit(durationSeconds: 120, byteCount: 131_072)).encoded.readableBytesView)
                == [0x08, 0x02, 0x22, 0x06, 0x08, 0x78, 0x10, 0x80, 0x80, 0x08, 0x28, 0x64])
        #expect(Array(StopMessage.status(.ok).encoded.readableBytesView) == [0x08, 0x01, 0x20, 0x64])
        #expect(
            Array(StopMessage.connect(self.peer, limit: nil).encoded.readableBytesView) == [0x08, 0x00, 0x12, 0x28, 0x0a, 0x26] + self.peer.bytes)
    }

    @Test("every message survives the way there and back")
    func roundTrip() throws {
        for message in self.hopMessages { #expect(try HopMessage(decoding: message.encoded) == message) }
        for message in self.stopMessages { #expect(try StopMessage(decoding: message.encoded) == message) }
    }

    @Test("no strict prefix of a message is that message")
    func prefixes() {
        for message in self.hopMessages {
            let bytes = Array(message.encoded.readableBytesView)
            for count in 0..<bytes.count {
                #expect((try? HopMessage(decoding: ByteBuffer(bytes: bytes.prefix(count)))) != message)
            }
        }
        for message in self.stopMessages {
            let bytes = Array(message.encoded.readableBytesView)
            for count in 0..<bytes.count {
                #expect((try? StopMessage(decoding: ByteBuffer(bytes: bytes.prefix(count)))) != message)
            }
        }
    }

    @Test("what a message needs and has not is an error")
    func missing() {
        func hop(_ bytes: [UInt8]) throws(CircuitDecodingError) -> HopMessage { try HopMessage(decoding: ByteBuffer(bytes: bytes)) }
        func stop(_ bytes: [UInt8]) throws(CircuitDecodingError) -> StopMessage { try StopMessage(decoding: ByteBuffer(bytes: bytes)) }
        #expect(throws: CircuitDecodingError.missingType) { try hop([]) }
        #expect(throws: CircuitDecodingError.missingType) { try stop([]) }
        #expect(throws: CircuitDecodingError.unknownType(3)) { try hop([0x08, 0x03]) }
        #expect(throws: CircuitDecodingError.unknownType(2)) { try stop([0x08, 0x02]) }
        #expect(throws: CircuitDecodingError.invalidPeer) { try hop([0x08, 0x01]) }
        #expect(throws: CircuitDecodingError.invalidPeer) { try hop([0x08, 0x01, 0x12, 0x00]) }
        #expect(throws: CircuitDecodingError.invalidPeer) { try hop([0x08, 0x01, 0x12, 0x03, 0x0a, 0x01, 0x07]) }
        #expect(throws: CircuitDecodingError.invalidPeer) { try stop([0x08, 0x00]) }
        #expect(throws: CircuitDecodingError.missingStatus) { try hop([0x08, 0x02]) }
        #expect(throws: CircuitDecodingError.missingStatus) { try stop([0x08, 0x01]) }
        #expect(throws: CircuitDecodingError.missingExpiration) { try hop([0x08, 0x02, 0x1a, 0x00, 0x28, 0x64]) }
        #expect(throws: CircuitDecodingError.malformed) { try hop([0x0a, 0x7f]) }
        #expect(throws: CircuitDecodingError.malformed) { try hop([0xff, 0xff, 0xff]) }
    }

    @Test("numbers at the ends of their ranges are kept")
    func ranges() throws {
        let limit = RelayLimit(durationSeconds: .max, byteCount: .max)
        let grant = ReservationGrant(expirationSeconds: .max, addresses: [], voucher: [])
        let message = HopMessage.status(RelayStatus(rawValue: .max), reservation: grant, limit: limit)
        #expect(try HopMessage(decoding: message.encoded) == message)
        let negative = HopMessage.status(RelayStatus(rawValue: .min))
        #expect(try HopMessage(decoding: negative.encoded) == negative)
        // Zero is no limit.
        let zero = HopMessage.status(.ok, reservation: nil, limit: RelayLimit(durationSeconds: 0, byteCount: 0))
        #expect(try HopMessage(decoding: zero.encoded) == .status(.ok, reservation: nil, limit: .unlimited))
    }

    @Test("4096 bytes are read, 4097 are not; a long list of addresses is cut, not the message")
    func bounds() throws {
        var bytes: [UInt8] = [0x08, 0x00]
        // An unknown field 15 of 4091 bytes fills the message up.
        bytes += [0x7a, 0xfb, 0x1f] + [UInt8](repeating: 0, count: 4091)
        #expect(bytes.count == 4096)
        #expect(try HopMessage(decoding: ByteBuffer(bytes: bytes)) == .reserve)
        #expect(throws: CircuitDecodingError.tooLong(4097)) { try HopMessage(decoding: ByteBuffer(bytes: bytes + [0])) }

        let name = String(repeating: "a", count: 60)
        let long = try Multiaddr("/dns4/\(name).\(name).\(name).\(name)/tcp/4001/p2p/\(self.peer)")
        let grant = ReservationGrant(expirationSeconds: 1, addresses: [Multiaddr](repeating: long, count: 40), voucher: [UInt8](repeating: 1, count: 900))
        let encoded = HopMessage.status(.ok, reservation: grant, limit: .unlimited).encoded
        #expect(encoded.readableBytes <= CircuitRelay.maximumMessageByteCount)
        guard case .status(.ok, let read?, _) = try HopMessage(decoding: encoded) else {
            Issue.record("no reservation")
            return
        }
        #expect(read.voucher?.count == 900)
        #expect((1...HopMessage.maximumAddressCount).contains(read.addresses.count))
    }

    @Test("an address of an unknown protocol is left out, the others stay")
    func unknownAddress() throws {
        let good = self.address.bytes
        let grant: [UInt8] = [0x08, 0x05, 0x12, 0x03, 0xff, 0xff, 0x03, 0x12, UInt8(good.count)] + good
        let message = try HopMessage(decoding: ByteBuffer(bytes: [0x08, 0x02, 0x28, 0x64, 0x1a, UInt8(grant.count)] + grant))
        #expect(message == .status(.ok, reservation: ReservationGrant(expirationSeconds: 5, addresses: [self.address], voucher: nil), limit: nil))
    }

    @Test("any bytes make a message or an error, no trap")
    func noise() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0..<64, using: &generator)).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            _ = try? HopMessage(decoding: ByteBuffer(bytes: bytes))
            _ = try? StopMessage(decoding: ByteBuffer(bytes: bytes))
            _ = try? ReservationVoucher(decoding: bytes)
        }
    }
}
