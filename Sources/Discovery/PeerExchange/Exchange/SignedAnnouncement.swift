import DIGAnnouncement
import DIGIdentity

/// An announcement whose signature, signer and time were checked, and the envelope to pass on.
struct SignedAnnouncement: Hashable, Sendable {
    let announcement: ContentAnnouncement
    let envelope: SignedEnvelope
}

/// One peer's statement about one content: of several, the latest counts.
struct AnnouncementID: Hashable, Sendable {
    var key: RendezvousKey
    var peer: PeerID

    init(_ announcement: ContentAnnouncement) {
        self.key = announcement.key
        self.peer = announcement.peer
    }
}
