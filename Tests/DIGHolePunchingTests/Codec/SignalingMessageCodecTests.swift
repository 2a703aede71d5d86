import DIGIdentity
import Testing

@testable import DIGHolePunching

@Suite("Signaling messages")
struct SignalingMessageCodecTests {
    private let sender: KeyPair
    private let recipient: KeyPair
    private let now: UInt64 = 1_800_000_000_000
    private let message: SignalingMessage

    init() throws {
        self.sender = try .generate()
        self.recipient = try .generate()
        var generator = SystemRandomNumberGenerator()
        self.message = SignalingMessage(
            sender: self.sender.peerID, recipient: self.recipient.peerID, topic: "punch", senderSession: .random(using: &generator),
            recipientSession: .random(using: &generator), sequence: 3, answers: 2, expiresAtMilliseconds: self.now + 60_000, body: [1, 2, 3])
    }

    private func open(_ message: SignalingMessage, at now: UInt64) throws -> SignalingMessage {
        let bytes = try message.sealed(with: self.sender).encoded
        return try SignalingMessage(opening: SignedEnvelope(decoding: bytes), as: self.recipient.peerID, nowMilliseconds: now)
    }

    @Test("what is sealed opens at the recipient and nowhere else")
    func roundTrip() throws {
        #expect(try self.open(self.message, at: self.now) == self.message)
        var first = self.message
        first.recipientSession = nil
        first.answers = nil
        #expect(try self.open(first, at: self.now) == first)
        let envelope = try self.message.sealed(with: self.sender)
        #expect(throws: SignalingError.notTheRecipient) {
            _ = try SignalingMessage(opening: envelope, as: self.sender.peerID, nowMilliseconds: self.now)
        }
    }

    @Test("nobody speaks in another's name")
    func otherNames() throws {
        #expect(throws: SignalingError.notTheSender) { try self.message.sealed(with: self.recipient) }
        var bytes = try self.message.sealed(with: self.sender).encoded
        // The last byte belongs to the signature.
        bytes[bytes.count - 1] ^= 1
        let envelope = try SignedEnvelope(decoding: bytes)
        #expect(throws: SignalingError.invalidSignature) {
            _ = try SignalingMessage(opening: envelope, as: self.recipient.peerID, nowMilliseconds: self.now)
        }
        // Signed for another purpose.
        let other = try SignedEnvelope.seal(domain: "other", payloadType: Array("/dig/signaling/1.0.0".utf8), payload: [], with: self.sender)
        #expect(throws: SignalingError.invalidSignature) {
            _ = try SignalingMessage(opening: other, as: self.recipient.peerID, nowMilliseconds: self.now)
        }
    }

    @Test("no strict prefix opens")
    func prefixes() throws {
        let bytes = try self.message.sealed(with: self.sender).encoded
        for count in 0..<bytes.count {
            #expect(throws: (any Error).self) {
                _ = try SignalingMessage(
                    opening: SignedEnvelope(decoding: bytes[..<count]), as: self.recipient.peerID, nowMilliseconds: self.now)
            }
        }
    }

    @Test("after its end, and before it by more than may be remembered, a message is refused")
    func expiry() throws {
        #expect(throws: SignalingError.expired) { try self.open(self.message, at: self.now + 60_000) }
        #expect(throws: SignalingError.expired) { try self.open(self.message, at: self.now - 540_001) }
        #expect(try self.open(self.message, at: self.now - 540_000) == self.message)
    }

    @Test("fields out of range are refused")
    func fields() throws {
        var zero = self.message
        zero.sequence = 0
        #expect(throws: SignalingError.malformed) { try self.open(zero, at: self.now) }
        var long = self.message
        long.body = Array(repeating: 0, count: SignalingMessage.maximumBodyByteCount + 1)
        #expect(throws: SignalingError.limitExceeded) { try long.sealed(with: self.sender) }
        long = self.message
        long.topic = String(repeating: "t", count: SignalingMessage.maximumTopicByteCount + 1)
        #expect(throws: SignalingError.limitExceeded) { try long.sealed(with: self.sender) }
        long.topic.removeLast()
        long.body = Array(repeating: 7, count: SignalingMessage.maximumBodyByteCount)
        let isSame = try self.open(long, at: self.now) == long
        #expect(isSame)
        #expect(SignalingSessionID(bytes: Array(repeating: 0, count: 15)) == nil)
        #expect(SignalingSessionID(bytes: Array(repeating: 0, count: 17)) == nil)
    }
}
