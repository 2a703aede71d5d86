import DIGAnnouncement
import DIGIdentity
import DIGMultiformats
import DIGNet
import Synchronization

/// Signs this node's announcements, each later than the one before.
final class AnnouncementSigner: Sendable {
    private let identity: KeyPair
    private let addresses: @Sendable () -> [Multiaddr]
    private let lifetime: Duration
    private let lastTimestamp = Mutex<UInt64>(0)

    init(identity: KeyPair, addresses: @escaping @Sendable () -> [Multiaddr], lifetime: Duration) {
        self.identity = identity
        self.addresses = addresses
        self.lifetime = lifetime
    }

    var localPeer: PeerID { self.identity.peerID }

    /// - Throws: `AnnouncementError`, `IdentityError`.
    func announcement(of content: AnnouncedContent) throws -> SignedEnvelope {
        try ContentAnnouncement(
            peer: self.identity.peerID, key: content.key, port: content.port, contentID: content.contentID, addresses: self.addresses(),
            timestampMilliseconds: self.nextTimestamp(), lifetime: self.lifetime
        ).signed(with: self.identity)
    }

    func withdrawal(of key: RendezvousKey) throws -> SignedEnvelope {
        try ContentAnnouncement(
            peer: self.identity.peerID, key: key, isAvailable: false, timestampMilliseconds: self.nextTimestamp(), lifetime: self.lifetime
        ).signed(with: self.identity)
    }

    /// The later of two counts, so no two are the same, and a clock that is set back does not matter.
    private func nextTimestamp() -> UInt64 {
        self.lastTimestamp.withLock { last in
            last = max(WallClock.nowMilliseconds, last + 1)
            return last
        }
    }
}
