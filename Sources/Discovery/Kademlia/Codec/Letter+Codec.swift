import DIGIdentity
import Foundation
import SwiftProtobuf

extension Letter {
    func sealed(with keyPair: KeyPair) throws(IdentityError) -> [UInt8] {
        guard keyPair.peerID == self.sender else {
            throw IdentityError(.signerMismatch, "only \(self.sender) can sign its letters, not \(keyPair.peerID)")
        }
        var fields = Dig_Kad_Wire_Letter()
        fields.recipient = Data(self.recipient.bytes)
        fields.sequence = self.sequence
        fields.expiresAtMilliseconds = self.expiresAtMilliseconds
        fields.encapsulatedKey = Data(self.encapsulatedKey)
        fields.ciphertext = Data(self.ciphertext)
        let encoded = try SignedEnvelope.seal(
            domain: Self.domain, payloadType: Self.payloadType, payload: StatementCodec.serialize(fields), with: keyPair
        ).encoded
        guard encoded.count <= Self.maximumByteCount else { throw IdentityError(.invalidEnvelope, "a letter of \(encoded.count) bytes is too long") }
        return encoded
    }

    init(opening bytes: [UInt8]) throws(IdentityError) {
        guard bytes.count <= Self.maximumByteCount else { throw IdentityError(.invalidEnvelope, "a letter of \(bytes.count) bytes is too long") }
        let envelope = try SignedEnvelope(decoding: bytes)
        let payload = try envelope.open(domain: Self.domain, payloadType: Self.payloadType)
        let fields: Dig_Kad_Wire_Letter
        do { fields = try Dig_Kad_Wire_Letter(serializedBytes: payload) } catch { throw IdentityError(.invalidRecord, "not a letter") }
        guard fields.sequence > 0, fields.encapsulatedKey.count <= 64, (1...Self.maximumCiphertextByteCount).contains(fields.ciphertext.count) else {
            throw IdentityError(.invalidRecord, "a letter without number or content, or too long")
        }
        self.init(
            sender: envelope.publicKey.peerID, recipient: try PeerID(bytes: fields.recipient), sequence: fields.sequence,
            expiresAtMilliseconds: fields.expiresAtMilliseconds, encapsulatedKey: Array(fields.encapsulatedKey),
            ciphertext: Array(fields.ciphertext))
    }
}

/// Several letters as one value.
enum LetterBundle {
    static let maximumLetterCount = 32

    static func encode(_ letters: [[UInt8]]) -> [UInt8] {
        var fields = Dig_Kad_Wire_LetterBundle()
        fields.letters = letters.prefix(Self.maximumLetterCount).map { Data($0) }
        return StatementCodec.serialize(fields)
    }

    /// Nil if it is no bundle. Letters beyond the limits are left out.
    static func decode(_ bytes: [UInt8]) -> [[UInt8]]? {
        let fields: Dig_Kad_Wire_LetterBundle
        do { fields = try Dig_Kad_Wire_LetterBundle(serializedBytes: bytes) } catch { return nil }
        return fields.letters.prefix(Self.maximumLetterCount).filter { $0.count <= Letter.maximumByteCount }.map { Array($0) }
    }
}
