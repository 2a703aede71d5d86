import DIGAnnouncement
import DIGIdentity
import DIGMultiformats

/// A ``DIGAnnouncement/ContentAnnouncement`` as a value of the graph: base64url of the signed envelope.
enum GunAnnouncementText {
    /// Base64 makes four characters of three bytes.
    static let maximumByteCount = (ContentAnnouncement.maximumByteCount + 2) / 3 * 4

    /// - Throws: As ``DIGAnnouncement/ContentAnnouncement/signed(with:)``.
    static func encode(_ announcement: ContentAnnouncement, signedWith keyPair: KeyPair) throws -> String {
        Base64URL.encode(try announcement.signed(with: keyPair).encoded)
    }

    /// As it was signed; nil for what is none. Nothing is checked.
    static func envelope(_ text: String) -> SignedEnvelope? {
        do { return try SignedEnvelope(decoding: Base64URL.decode(text)) } catch { return nil }
    }

    /// Nil for what is none, or not to be believed at `now`.
    static func decode(_ text: String, now: Double) -> ContentAnnouncement? {
        guard text.utf8.count <= Self.maximumByteCount, let now = UInt64(exactly: now.rounded(.down)) else { return nil }
        do { return try ContentAnnouncement(decoding: Base64URL.decode(text), nowMilliseconds: now) } catch { return nil }
    }
}
