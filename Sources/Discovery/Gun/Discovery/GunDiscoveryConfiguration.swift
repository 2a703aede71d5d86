/// How content is announced and looked for through GUN.
public struct GunDiscoveryConfiguration: Sendable {
    public var namespace = GunNamespace.standard
    /// How long others may believe an announcement.
    public var announcementLifetime: Duration = .seconds(3_600)
    /// How often announcements are made anew: more than twice in their life, so that one may be lost.
    public var reannounceInterval: Duration = .seconds(1_650)
    /// Announcements that are made anew one after the other, so that relays are not flooded: how many a second.
    public var announcementRate: Double = 50
    /// How long a lookup goes on.
    public var lookupTimeout: Duration = .seconds(5)
    /// How long a lookup waits for more once every relay has answered: a relay that knows nothing asks on.
    public var lookupSettling: Duration = .milliseconds(500)
    /// Announcements of this peer.
    public var announcementCount = 100_000
    /// Hosts that one lookup reports.
    public var hostCount = 1_000
    /// Whether announcements of the run before are taken up again, if the peer's ``GunStorage`` has kept them.
    public var isPersistenceEnabled = true

    public init() {}
}
