import DIGAnnouncement
import DIGAvailability
import DIGDiscovery
import DIGIdentity

/// Announces by every way of discovery that is on, which sign and repeat what they announce themselves.
struct DiscoveryAnnouncer: AvailabilityAnnouncer {
    let manager: PeerDiscoveryManager

    var keepsAnnouncing: Bool { true }

    func announce(_ announcement: ContentAnnouncement, envelope: SignedEnvelope) async throws {
        if announcement.isAvailable {
            try await self.manager.announce(AnnouncedContent(announcement.key, port: announcement.port, contentID: announcement.contentID))
        } else {
            try await self.manager.withdraw(announcement.key)
        }
    }
}
