import Crypto
public import DIGIdentity
public import DIGMultiformats

/// "I have this content": what a peer signs and puts into the graph.
///
/// It travels as the text (base64url) of a ``DIGIdentity/SignedEnvelope`` whose payload is a JSON object with the members `peerId`, `hash`, `port`,
/// `contentId`, `available`, `addresses`, `timestamp` (milliseconds since 1970) and `ttl` (milliseconds).
public struct GunAnnouncement: Hashable, Sendable {
    static let domain = "dig-gun-announcement"
    static let payloadType = Array("/dig/gun/announcement".utf8)

    public static let hashByteCount = 32
    public static let maximumContentIDByteCount = 256
    public static let maximumAddressCount = 16
    /// Of the text in the graph.
    public static let maximumTextByteCount = 8_192
    public static let lifetimeRange: ClosedRange<Duration> = .seconds(60) ... .seconds(86_400)
    /// How far another's clock may be ahead.
    public static let maximumClockSkew: Duration = .seconds(120)

    public var peer: PeerID
    /// Of the content.
    public var hash: [UInt8]
    /// Where the peer listens, as in the seed's `announce(hash, {port})`; the addresses say more.
    public var port: UInt16?
    /// The content's name, if it has one.
    public var contentID: String?
    /// False: the peer has it no longer.
    public var isAvailable: Bool
    public var addresses: [Multiaddr]
    /// When it was signed, milliseconds since 1970. Also its state in the graph, so that nobody can make an old one new again.
    public var timestampMilliseconds: UInt64
    /// How long to believe it. Clamped to ``lifetimeRange`` by whoever reads it.
    public var lifetime: Duration

    public init(
        peer: PeerID, hash: [UInt8], port: UInt16? = nil, contentID: String? = nil, isAvailable: Bool = true, addresses: [Multiaddr] = [],
        timestampMilliseconds: UInt64, lifetime: Duration
    ) {
        self.peer = peer
        self.hash = hash
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
        return self.timestampMilliseconds.addingReportingOverflow(UInt64(lifetime / .milliseconds(1))).partialValue
    }

    /// Whether it may be believed at `now`, milliseconds since 1970: neither expired nor from the future.
    public func isValid(at now: Double) -> Bool {
        Double(self.expiresAtMilliseconds) > now && Double(self.timestampMilliseconds) <= now + Self.maximumClockSkew / .milliseconds(1)
    }

    /// The hash of a name, under which announcements with that name are found.
    static func nameHash(_ contentID: String) -> String { Base16.encode(Array(SHA256.hash(data: Array(contentID.utf8)))) }
}
