public import DIGIdentity
import Foundation
import SwiftProtobuf

extension SignedValue {
    /// Signs the value: what ``KademliaService/putValue(_:under:)`` takes.
    ///
    /// - Throws: `IdentityError` with `.signerMismatch` if the key is not the owner's, `.signingFailed`, `.invalidEnvelope`.
    public func sealed(with keyPair: KeyPair) throws(IdentityError) -> [UInt8] {
        guard keyPair.peerID == self.owner else {
            throw IdentityError(.signerMismatch, "only \(self.owner) can sign its values, not \(keyPair.peerID)")
        }
        var fields = Dig_Kad_Wire_ValueStatement()
        fields.key = Data(self.key)
        fields.sequence = self.sequence
        fields.expiresAtMilliseconds = self.expiresAtMilliseconds
        fields.value = Data(self.value)
        return try SignedEnvelope.seal(
            domain: Self.domain, payloadType: Self.payloadType, payload: StatementCodec.serialize(fields), with: keyPair
        ).encoded
    }

    /// Opens what ``sealed(with:)`` made. Whether the time is over is not looked at.
    ///
    /// - Throws: `IdentityError` with `.invalidEnvelope`, `.invalidPublicKey`, `.invalidSignature` or `.invalidRecord`.
    public init(opening bytes: [UInt8]) throws(IdentityError) {
        let envelope = try SignedEnvelope(decoding: bytes)
        let payload = try envelope.open(domain: Self.domain, payloadType: Self.payloadType)
        let fields: Dig_Kad_Wire_ValueStatement
        do { fields = try Dig_Kad_Wire_ValueStatement(serializedBytes: payload) } catch {
            throw IdentityError(.invalidRecord, "not a signed value")
        }
        guard (1...KademliaLimits.maximumKeyByteCount).contains(fields.key.count), fields.sequence > 0 else {
            throw IdentityError(.invalidRecord, "a signed value without key or number")
        }
        self.init(
            owner: envelope.publicKey.peerID, key: Array(fields.key), sequence: fields.sequence,
            expiresAtMilliseconds: fields.expiresAtMilliseconds, value: Array(fields.value))
    }
}
