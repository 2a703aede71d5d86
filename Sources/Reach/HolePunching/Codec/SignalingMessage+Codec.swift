public import DIGIdentity
import Foundation
import SwiftProtobuf

extension SignalingMessage {
    private static let domain = "dig-signaling"
    private static let payloadType = Array("/dig/signaling/1.0.0".utf8)
    /// Body and topic at their longest, and room for the rest.
    private static let maximumPayloadByteCount = Self.maximumBodyByteCount + Self.maximumTopicByteCount + 512

    /// Signs the message.
    ///
    /// - Parameter keyPair: That of ``sender``.
    /// - Throws: ``SignalingError``: `.limitExceeded`, `.notTheSender`; `IdentityError` `.signingFailed`.
    public func sealed(with keyPair: KeyPair) throws -> SignedEnvelope {
        guard keyPair.peerID == self.sender else { throw SignalingError.notTheSender }
        guard self.body.count <= Self.maximumBodyByteCount, self.topic.utf8.count <= Self.maximumTopicByteCount else {
            throw SignalingError.limitExceeded
        }
        var fields = Dig_Holepunch_Wire_Signal()
        fields.recipient = Data(self.recipient.bytes)
        fields.topic = self.topic
        fields.senderSession = Data(self.senderSession.bytes)
        if let session = self.recipientSession { fields.recipientSession = Data(session.bytes) }
        fields.sequence = self.sequence
        if let answers = self.answers { fields.answers = answers }
        fields.expiresAtMilliseconds = self.expiresAtMilliseconds
        fields.body = Data(self.body)
        return try SignedEnvelope.seal(
            domain: Self.domain, payloadType: Self.payloadType, payload: fields.serializedBytes(), with: keyPair)
    }

    /// Opens an envelope that was sent to `recipient`.
    ///
    /// - Parameter nowMilliseconds: Unix time.
    /// - Throws: ``SignalingError``; nothing of the content is to be believed then.
    public init(opening envelope: SignedEnvelope, as recipient: PeerID, nowMilliseconds: UInt64) throws(SignalingError) {
        guard envelope.payload.count <= Self.maximumPayloadByteCount else { throw .limitExceeded }
        let payload: [UInt8]
        do throws(IdentityError) {
            payload = try envelope.open(domain: Self.domain, payloadType: Self.payloadType)
        } catch {
            throw .invalidSignature
        }
        let fields: Dig_Holepunch_Wire_Signal
        do { fields = try Dig_Holepunch_Wire_Signal(serializedBytes: payload) } catch { throw .malformed }
        guard fields.recipient.elementsEqual(recipient.bytes) else { throw .notTheRecipient }
        guard let senderSession = SignalingSessionID(bytes: fields.senderSession), fields.sequence > 0, fields.hasBody else { throw .malformed }
        var recipientSession: SignalingSessionID?
        if fields.hasRecipientSession {
            guard let session = SignalingSessionID(bytes: fields.recipientSession) else { throw .malformed }
            recipientSession = session
        }
        guard fields.body.count <= Self.maximumBodyByteCount, fields.topic.utf8.count <= Self.maximumTopicByteCount else { throw .limitExceeded }
        let expiry = fields.expiresAtMilliseconds
        guard expiry > nowMilliseconds, expiry - nowMilliseconds <= UInt64(Self.maximumLifetime.components.seconds) * 1000 else { throw .expired }
        self.init(
            sender: envelope.publicKey.peerID, recipient: recipient, topic: fields.topic, senderSession: senderSession,
            recipientSession: recipientSession, sequence: fields.sequence, answers: fields.hasAnswers ? fields.answers : nil,
            expiresAtMilliseconds: expiry, body: Array(fields.body))
    }
}
