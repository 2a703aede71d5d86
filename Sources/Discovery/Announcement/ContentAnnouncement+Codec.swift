public import DIGIdentity
import DIGMultiformats
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension ContentAnnouncement {
    /// Signs it. Addresses for which there is no room are left out, the last ones first.
    ///
    /// - Throws: ``AnnouncementError`` with `.limitExceeded` or `.wrongPeer`, or `IdentityError`.
    public func signed(with keyPair: KeyPair) throws -> SignedEnvelope {
        guard (self.contentID ?? "").utf8.count <= Self.maximumContentIDByteCount else { throw AnnouncementError.limitExceeded }
        guard self.peer == keyPair.peerID else { throw AnnouncementError.wrongPeer }
        var message = Dig_Announcement_V1_Announcement()
        message.peer = Data(self.peer.bytes)
        message.key = Data(self.key.bytes)
        message.available = self.isAvailable
        message.timestampMs = self.timestampMilliseconds
        message.lifetimeMs = UInt64(max(0, min(self.lifetime, Self.lifetimeRange.upperBound) / .milliseconds(1)))
        message.addresses = self.addresses.prefix(Self.maximumAddressCount).map { Data($0.bytes) }
        message.port = UInt32(self.port ?? 0)
        message.contentID = self.contentID ?? ""
        while true {
            let envelope = try SignedEnvelope.seal(
                domain: Self.domain, payloadType: Self.payloadType, payload: try message.serializedBytes(), with: keyPair)
            if envelope.encoded.count <= Self.maximumByteCount { return envelope }
            guard message.addresses.popLast() != nil else { throw AnnouncementError.limitExceeded }
        }
    }

    /// As ``init(verifying:nowMilliseconds:)``, for the bytes that a peer sent.
    public init(decoding bytes: [UInt8], nowMilliseconds: UInt64) throws(AnnouncementError) {
        guard bytes.count <= Self.maximumByteCount else { throw .limitExceeded }
        let envelope: SignedEnvelope
        do { envelope = try SignedEnvelope(decoding: bytes) } catch { throw .malformed }
        try self.init(verifying: envelope, nowMilliseconds: nowMilliseconds)
    }

    /// Checks signature, signer, ranges and time.
    ///
    /// - Parameter nowMilliseconds: Unix time by our clock.
    /// - Throws: ``AnnouncementError``.
    public init(verifying envelope: SignedEnvelope, nowMilliseconds: UInt64) throws(AnnouncementError) {
        guard envelope.payloadType == Self.payloadType else { throw .malformed }
        let message: Dig_Announcement_V1_Announcement
        do { message = try Dig_Announcement_V1_Announcement(serializedBytes: envelope.payload) } catch { throw .malformed }
        guard message.contentID.utf8.count <= Self.maximumContentIDByteCount, message.addresses.count <= Self.maximumAddressCount else {
            throw .limitExceeded
        }
        guard let key = RendezvousKey(bytes: Array(message.key)), let port = UInt16(exactly: message.port) else { throw .malformed }
        let peer: PeerID
        do { peer = try PeerID(bytes: Array(message.peer)) } catch { throw .malformed }
        let addresses = message.addresses.compactMap { bytes -> Multiaddr? in
            do throws(MultiaddrError) { return try Multiaddr(bytes: bytes) } catch { return nil }
        }
        let longest = UInt64(Self.lifetimeRange.upperBound / .milliseconds(1))
        let lifetime = max(Self.lifetimeRange.lowerBound, .milliseconds(min(message.lifetimeMs, longest)))
        self.init(
            peer: peer, key: key, port: port == 0 ? nil : port, contentID: message.contentID.isEmpty ? nil : message.contentID,
            isAvailable: message.available, addresses: addresses, timestampMilliseconds: message.timestampMs, lifetime: lifetime)
        // Cheaper than the signature, so before it.
        try self.check(nowMilliseconds: nowMilliseconds)
        guard peer.matches(envelope.publicKey) else { throw .wrongPeer }
        do { try envelope.verify(domain: Self.domain) } catch { throw .invalidSignature }
    }
}
