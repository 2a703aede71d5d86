import Crypto
import DIGAnnouncement
import DIGIdentity
import DIGMultiformats

/// Where things are in the graph.
///
/// | soul | keys | values |
/// |---|---|---|
/// | `NAMESPACE/content/HASH` | peer ids | a signed ``DIGAnnouncement/ContentAnnouncement`` |
/// | `NAMESPACE/names/SHA-256 OF THE NAME` | peer ids | the same, with that name |
/// | `NAMESPACE/keys/PEER` | `x25519` | ``GunKeyRecord`` |
/// | `NAMESPACE/mailbox/PEER` | slots that senders choose | sealed messages |
public struct GunNamespace: Hashable, Sendable {
    /// The namespace that earlier versions of this project used.
    public static let standard = GunNamespace("dig-nat-tools")

    let name: String

    /// - Parameter name: Begins every soul. Networks with different names do not see each other.
    public init(_ name: String) { self.name = name }

    func content(_ key: RendezvousKey) -> String { "\(self.name)/content/\(Base16.encode(key.bytes))" }
    func names(_ contentID: String) -> String { "\(self.name)/names/\(Self.nameHash(contentID))" }
    func keys(_ peer: PeerID) -> String { "\(self.name)/keys/\(peer)" }
    func mailbox(_ peer: PeerID) -> String { "\(self.name)/mailbox/\(peer)" }

    /// What makes the souls above writable by those they belong to only. Give them to ``GunPeer``.
    public var guards: [GunGuard] {
        let content = "\(self.name)/content/"
        let names = "\(self.name)/names/"
        let keys = "\(self.name)/keys/"
        return [
            GunGuard(prefix: content) { soul, key, entry, now in
                guard let announcement = Self.announcement(key, entry, now) else { return false }
                return soul == ExactText(content + Base16.encode(announcement.key.bytes))
            },
            GunGuard(prefix: names) { soul, key, entry, now in
                guard let announcement = Self.announcement(key, entry, now), let contentID = announcement.contentID else { return false }
                return soul == ExactText(names + Self.nameHash(contentID))
            },
            GunGuard(prefix: keys) { soul, key, entry, now in
                guard key == GunKeyRecord.key, let text = entry.value.string, let record = GunKeyRecord(text: text) else { return false }
                return soul == ExactText(keys + "\(record.peer)") && entry.state == Double(record.timestampMilliseconds) && record.isValid(at: now)
            },
            GunGuard(prefix: "\(self.name)/mailbox/") { _, key, entry, now in
                GunSealedMessage.isPlausible(key: key, entry, now: now)
            },
        ]
    }

    /// The hash of a name, under which announcements with that name are found.
    private static func nameHash(_ contentID: String) -> String { Base16.encode(Array(SHA256.hash(data: Array(contentID.utf8)))) }

    /// The announcement of the peer that `key` names, made at the entry's state.
    static func announcement(_ key: ExactText, _ entry: GunEntry, _ now: Double) -> ContentAnnouncement? {
        // The time is looked at before the signature: that is cheaper.
        guard entry.state <= now + ContentAnnouncement.maximumClockSkew / .milliseconds(1),
            entry.state > now - ContentAnnouncement.lifetimeRange.upperBound / .milliseconds(1), let text = entry.value.string,
            let announcement = GunAnnouncementText.decode(text, now: now), ExactText("\(announcement.peer)") == key,
            entry.state == Double(announcement.timestampMilliseconds)
        else { return nil }
        return announcement
    }
}
