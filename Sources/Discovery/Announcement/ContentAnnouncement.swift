public import DIGIdentity
public import DIGMultiformats

/// "I have this content", or no longer: what a peer signs, and others pass on and believe until it is over.
///
///     let envelope = try announcement.signed(with: identity)
///     let heard = try ContentAnnouncement(verifying: envelope, nowMilliseconds: now)
///
/// On the wire it is a ``DIGIdentity/SignedEnvelope`` over the protobuf `Announcement`.
public struct ContentAnnouncement: Hashable, Sendable {
    /// Separates these signatures from all others.
    public static let domain = "dig-content-announcement"
    /// The envelope's payload type.
    public static let payloadType = Array("/dig/content-announcement".utf8)
    public static let maximumContentIDByteCount = 256
    public static let maximumAddressCount = 16
    /// Of the encoded envelope.
    public static let maximumByteCount = 6_144
    public static let lifetimeRange: ClosedRange<Duration> = .seconds(60) ... .seconds(86_400)
    /// How far another's clock may be ahead.
    public static let maximumClockSkew: Duration = .seconds(120)

    public var peer: PeerID
    public var key: RendezvousKey
    /// Where the peer listens, as in the seed's `announce(hash, {port})`; the addresses say more.
    public var port: UInt16?
    /// The content's name, if it has one.
    public var contentID: String?
    /// False: the peer has it no longer.
    public var isAvailable: Bool
    public var addresses: [Multiaddr]
    /// When it was signed, milliseconds since 1970. Of two announcements of a peer for a key the later one counts.
    public var timestampMilliseconds: UInt64
    /// How long to believe it; ``init(verifying:nowMilliseconds:)`` clamps it to ``lifetimeRange``.
    public var lifetime: Duration

    public init(
        peer: PeerID, key: RendezvousKey, port: UInt16? = nil, contentID: String? = nil, isAvailable: Bool = true, addresses: [Multiaddr] = [],
        timestampMilliseconds: UInt64, lifetime: Duration = .seconds(3_600)
    ) {
        self.peer = peer
        self.key = key
        self.port = port
        self.contentID = contentID
        self.isAvailable = isAvailable
        self.addresses = addresses
        self.timestampMilliseconds = timestampMilliseconds
        self.lifetime = lifetime
    }

    /// When it is over, milliseconds since 1970.
    public var expiresAtMilliseconds: UInt64 {
        let lifetime = min(max(self.lifetime, Self.lifetimeRange.lowerBound), Self.lifetimeRange.upperBound)
        let (sum, isTooMuch) = self.timestampMilliseconds.addingReportingOverflow(UInt64(lifetime / .milliseconds(1)))
        return isTooMuch ? .max : sum
    }

    /// - Throws: ``AnnouncementError`` with `.expired` or `.fromTheFuture`.
    func check(nowMilliseconds: UInt64) throws(AnnouncementError) {
        guard self.expiresAtMilliseconds > nowMilliseconds else { throw .expired }
        guard self.timestampMilliseconds <= nowMilliseconds || self.timestampMilliseconds - nowMilliseconds <= UInt64(Self.maximumClockSkew / .milliseconds(1))
        else { throw .fromTheFuture }
    }
}
