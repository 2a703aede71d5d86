import DIGIdentity
import DIGMultiformats
import Foundation
import SwiftProtobuf

extension ProviderStatement {
    /// Signs the statement.
    ///
    /// - Throws: `IdentityError` with `.signerMismatch` if the key is not the provider's, `.signingFailed`, `.invalidEnvelope`.
    func sealed(with keyPair: KeyPair) throws(IdentityError) -> SignedEnvelope {
        guard keyPair.peerID == self.provider else {
            throw IdentityError(.signerMismatch, "only \(self.provider) can say what it provides, not \(keyPair.peerID)")
        }
        var fields = Dig_Kad_Wire_ProviderStatement()
        fields.key = Data(self.key)
        fields.sequence = self.sequence
        fields.expiresAtMilliseconds = self.expiresAtMilliseconds
        fields.addrs = self.addresses.prefix(Self.maximumAddressCount).map { Data($0.bytes) }
        fields.isWithdrawn = self.isWithdrawn
        return try SignedEnvelope.seal(domain: Self.domain, payloadType: Self.payloadType, payload: StatementCodec.serialize(fields), with: keyPair)
    }

    /// Opens an encoded envelope.
    ///
    /// - Throws: `IdentityError` with `.invalidEnvelope`, `.invalidPublicKey`, `.invalidSignature` or `.invalidRecord`.
    init(opening bytes: [UInt8]) throws(IdentityError) {
        let envelope = try SignedEnvelope(decoding: bytes)
        let payload = try envelope.open(domain: Self.domain, payloadType: Self.payloadType)
        let fields: Dig_Kad_Wire_ProviderStatement
        do { fields = try Dig_Kad_Wire_ProviderStatement(serializedBytes: payload) } catch {
            throw IdentityError(.invalidRecord, "not a statement of a provider")
        }
        guard (1...KademliaLimits.maximumProviderKeyByteCount).contains(fields.key.count), fields.sequence > 0,
            fields.addrs.count <= Self.maximumAddressCount
        else { throw IdentityError(.invalidRecord, "a statement without key or number, or too long") }
        self.init(
            provider: envelope.publicKey.peerID, key: Array(fields.key), sequence: fields.sequence,
            expiresAtMilliseconds: fields.expiresAtMilliseconds, addresses: fields.addrs.compactMap(KademliaCodec.address),
            isWithdrawn: fields.isWithdrawn)
    }
}
