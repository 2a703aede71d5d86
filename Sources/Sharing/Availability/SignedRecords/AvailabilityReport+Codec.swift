import DIGContent
public import DIGIdentity
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension AvailabilityReport {
    /// Signs it.
    ///
    /// - Throws: ``AvailabilityError`` with `.wrongPeer`, `.aboutItself` or `.limitExceeded`, or `IdentityError`.
    public func signed(with keyPair: KeyPair) throws -> SignedEnvelope {
        guard self.reporter == keyPair.peerID else { throw AvailabilityError.wrongPeer }
        guard self.reporter != self.reported else { throw AvailabilityError.aboutItself }
        guard (self.detail ?? "").utf8.count <= Self.maximumDetailByteCount else { throw AvailabilityError.limitExceeded }
        var message = Dig_Availability_V1_Report()
        message.reporter = Data(self.reporter.bytes)
        message.reported = Data(self.reported.bytes)
        message.content = Data(self.content.digest.bytes)
        message.reason = self.reason.rawValue
        message.timestampMs = self.timestampMilliseconds
        message.detail = self.detail ?? ""
        let envelope = try SignedEnvelope.seal(domain: Self.domain, payloadType: Self.payloadType, payload: try message.serializedBytes(), with: keyPair)
        guard envelope.encoded.count <= Self.maximumByteCount else { throw AvailabilityError.limitExceeded }
        return envelope
    }

    /// As ``init(verifying:nowMilliseconds:)``, for the bytes that a peer sent.
    public init(decoding bytes: [UInt8], nowMilliseconds now: UInt64) throws(AvailabilityError) {
        guard bytes.count <= Self.maximumByteCount else { throw .limitExceeded }
        let envelope: SignedEnvelope
        do { envelope = try SignedEnvelope(decoding: bytes) } catch { throw .malformed }
        try self.init(verifying: envelope, nowMilliseconds: now)
    }

    /// Checks ranges, time, signer and signature.
    ///
    /// - Parameter now: Unix time by our clock.
    /// - Throws: ``AvailabilityError``.
    public init(verifying envelope: SignedEnvelope, nowMilliseconds now: UInt64) throws(AvailabilityError) {
        guard envelope.payloadType == Self.payloadType else { throw .malformed }
        let message: Dig_Availability_V1_Report
        do { message = try Dig_Availability_V1_Report(serializedBytes: envelope.payload) } catch { throw .malformed }
        guard message.detail.utf8.count <= Self.maximumDetailByteCount else { throw .limitExceeded }
        guard let digest = SHA256Digest(bytes: message.content) else { throw .malformed }
        let reporter: PeerID
        let reported: PeerID
        do {
            reporter = try PeerID(bytes: message.reporter)
            reported = try PeerID(bytes: message.reported)
        } catch { throw .malformed }
        self.init(
            reporter: reporter, reported: reported, content: ContentHash(digest: digest), reason: Reason(rawValue: message.reason) ?? .other,
            detail: message.detail.isEmpty ? nil : message.detail, timestampMilliseconds: message.timestampMs)
        // Cheaper than the signature, so before it.
        try self.check(nowMilliseconds: now)
        guard reporter.matches(envelope.publicKey) else { throw .wrongPeer }
        do { try envelope.verify(domain: Self.domain) } catch { throw .invalidSignature }
    }
}
