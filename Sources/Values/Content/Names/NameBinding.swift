public import DIGIdentity
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A signed statement that a name or a plain SHA-256 means a content.
///
/// Many peers may bind the same name to different contents. Who signed is part of the value: whoever looks up takes the trusted or
/// the only one. On the wire it is a ``SignedEnvelope`` over the protobuf `NameBindingRecord`.
public struct NameBinding: Hashable, Sendable {
    /// Separates these signatures from all others.
    public static let domain = "dig-name-binding"
    /// The envelope's payload type.
    public static let payloadType = Array("/dig/name-binding".utf8)
    /// The longest name, in UTF-8.
    public static let maximumNameByteCount = 1024
    /// The longest encoded envelope.
    public static let maximumByteCount = 2048
    /// Ours: how far a peer's clock may be ahead.
    public static let maximumClockSkewMilliseconds: UInt64 = 10 * 60 * 1000

    /// The name or plain SHA-256 that is bound.
    public let key: BindingKey
    /// What the signer says it means.
    public let contentHash: ContentHash
    /// Milliseconds of Unix time by the signer's clock.
    public let timestampMilliseconds: UInt64
    /// Who signed; checked.
    public let signer: PublicKey

    /// Makes and signs a binding.
    ///
    /// - Throws: ``NameBindingError`` with `.nameOutOfRange` or `.signingFailed`.
    public static func sign(
        _ key: BindingKey, as contentHash: ContentHash, timestampMilliseconds: UInt64, with keyPair: KeyPair
    ) throws(NameBindingError) -> SignedEnvelope {
        try Self.check(key)
        var record = Dig_Content_V1_NameBindingRecord()
        record.contentHash = Data(contentHash.digest.bytes)
        switch key {
        case .sha256(let digest): record.sha256 = Data(digest.bytes)
        case .name(let name): record.name = name
        }
        record.timestampMs = timestampMilliseconds
        do {
            return try SignedEnvelope.seal(
                domain: Self.domain, payloadType: Self.payloadType, payload: record.serializedBytes() as [UInt8], with: keyPair)
        } catch {
            throw .signingFailed
        }
    }

    /// Verifies the signature and takes the binding.
    ///
    /// - Parameters:
    ///   - expecting: What was asked for; nil takes any.
    ///   - nowMilliseconds: Unix time by our clock.
    ///   - maximumAgeMilliseconds: Older ones are refused; nil: never.
    /// - Throws: ``NameBindingError``.
    public init(
        verifying envelope: SignedEnvelope, expecting: BindingKey? = nil, nowMilliseconds: UInt64, maximumAgeMilliseconds: UInt64? = nil
    ) throws(NameBindingError) {
        guard envelope.payloadType == Self.payloadType else { throw .wrongPayloadType }
        do {
            try envelope.verify(domain: Self.domain)
        } catch {
            throw .invalidSignature
        }
        let record: Dig_Content_V1_NameBindingRecord
        do {
            record = try Dig_Content_V1_NameBindingRecord(serializedBytes: envelope.payload)
        } catch {
            throw .malformedPayload
        }
        guard let digest = SHA256Digest(bytes: [UInt8](record.contentHash)) else { throw .malformedPayload }
        switch record.key {
        case .sha256(let bytes):
            guard let sha256 = SHA256Digest(bytes: [UInt8](bytes)) else { throw .malformedPayload }
            self.key = .sha256(sha256)
        case .name(let name):
            self.key = .name(name)
        case nil:
            throw .malformedPayload
        }
        self.contentHash = ContentHash(digest: digest)
        self.timestampMilliseconds = record.timestampMs
        self.signer = envelope.publicKey

        try Self.check(self.key)
        guard expecting == nil || expecting == self.key else { throw .otherKey }
        if self.timestampMilliseconds > nowMilliseconds {
            guard self.timestampMilliseconds - nowMilliseconds <= Self.maximumClockSkewMilliseconds else { throw .fromTheFuture }
        } else if let maximumAgeMilliseconds {
            guard nowMilliseconds - self.timestampMilliseconds <= maximumAgeMilliseconds else { throw .expired }
        }
    }

    /// As ``init(verifying:expecting:nowMilliseconds:maximumAgeMilliseconds:)``, for the encoded envelope a peer sent.
    ///
    /// - Throws: ``NameBindingError``; `.malformedPayload` also for bytes that are no envelope.
    public init(
        decoding bytes: [UInt8], expecting: BindingKey? = nil, nowMilliseconds: UInt64, maximumAgeMilliseconds: UInt64? = nil
    ) throws(NameBindingError) {
        guard bytes.count <= Self.maximumByteCount else { throw .malformedPayload }
        let envelope: SignedEnvelope
        do {
            envelope = try SignedEnvelope(decoding: bytes)
        } catch {
            throw .malformedPayload
        }
        try self.init(verifying: envelope, expecting: expecting, nowMilliseconds: nowMilliseconds, maximumAgeMilliseconds: maximumAgeMilliseconds)
    }

    private static func check(_ key: BindingKey) throws(NameBindingError) {
        guard case .name(let name) = key else { return }
        guard
            (1...Self.maximumNameByteCount).contains(name.utf8.count),
            !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw .nameOutOfRange }
    }
}
