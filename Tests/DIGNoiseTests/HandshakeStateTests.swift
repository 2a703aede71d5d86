import Crypto
import Testing

@testable import DIGNoise

@Suite("Noise XX handshake")
struct HandshakeStateTests {
    private func pair() -> (initiator: HandshakeState, responder: HandshakeState) {
        (
            HandshakeState(isInitiator: true, staticKey: .init(), ephemeralKey: .init()),
            HandshakeState(isInitiator: false, staticKey: .init(), ephemeralKey: .init())
        )
    }

    /// Points whose product with any scalar is zero, and encodings of them (RFC 7748 §6.1; Noise §12.1).
    private static let lowOrderPoints: [[UInt8]] = [
        [UInt8](repeating: 0, count: 32),
        [1] + [UInt8](repeating: 0, count: 31),
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
            0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
            0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
        [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
        [0xed] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
        [0xee] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
    ]

    @Test("refuses a key of low order", arguments: lowOrderPoints)
    func lowOrder(point: [UInt8]) throws {
        var (_, responder) = self.pair()
        _ = try responder.readMessage(point)
        #expect(throws: NoiseError.lowOrderKey) { try responder.writeMessage(payload: []) }

        var (initiator, _) = self.pair()
        _ = try initiator.writeMessage(payload: [])
        #expect(throws: NoiseError.lowOrderKey) { try initiator.readMessage(point + [UInt8](repeating: 0, count: 64)) }
    }

    @Test("takes turns")
    func turns() throws {
        var (initiator, responder) = self.pair()
        #expect(throws: NoiseError.unexpectedMessage) { try responder.writeMessage(payload: []) }
        let first = try initiator.writeMessage(payload: [])
        #expect(throws: NoiseError.unexpectedMessage) { try initiator.writeMessage(payload: []) }
        _ = try responder.readMessage(first)
        #expect(throws: NoiseError.unexpectedMessage) { try responder.readMessage(first) }
        _ = try initiator.readMessage(responder.writeMessage(payload: []))
        _ = try responder.readMessage(initiator.writeMessage(payload: []))
        #expect(throws: NoiseError.unexpectedMessage) { try initiator.readMessage(first) }
        #expect(throws: NoiseError.unexpectedMessage) { try responder.writeMessage(payload: []) }
    }
}
