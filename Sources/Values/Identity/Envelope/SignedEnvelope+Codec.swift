import Foundation
import SwiftProtobuf

extension SignedEnvelope {
    /// Decodes an envelope without checking its signature.
    ///
    /// - Throws: ``IdentityError`` with `.invalidEnvelope` or `.invalidPublicKey`.
    public init(decoding bytes: some Collection<UInt8>) throws(IdentityError) {
        guard bytes.count <= Self.maximumByteCount else {
            throw IdentityError(.invalidEnvelope, "an envelope of \(bytes.count) bytes is too long")
        }
        let message: Dig_Identity_Wire_Envelope
        do { message = try Dig_Identity_Wire_Envelope(serializedBytes: Array(bytes)) } catch {
            throw IdentityError(.invalidEnvelope, "not an envelope")
        }
        guard message.payloadType.count <= Self.maximumPayloadTypeByteCount else {
            throw IdentityError(.invalidEnvelope, "a payload type of \(message.payloadType.count) bytes is too long")
        }
        self.init(
            publicKey: try PublicKey(protobufEncoded: message.publicKey), payloadType: Array(message.payloadType),
            payload: Array(message.payload), signature: Array(message.signature))
    }

    public var encoded: [UInt8] {
        var message = Dig_Identity_Wire_Envelope()
        message.publicKey = Data(self.publicKey.protobufEncoded)
        message.payloadType = Data(self.payloadType)
        message.payload = Data(self.payload)
        message.signature = Data(self.signature)
        // Cannot fail: proto3 has no required fields and the message is far below two gigabytes.
        do { return try message.serializedBytes() } catch { preconditionFailure("\(error)") }
    }
}
