import DIGAnnouncement
import DIGIdentity

/// A connected peer with which is exchanged: what it was told and what it is owed.
struct Link: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// What a request under way tells, to be noted when the peer has taken it.
    enum Pending: Hashable, Sendable {
        case exchange(added: [PeerID: UInt64], dropped: [PeerID], announcements: [AnnouncementID: UInt64], recordSequence: UInt64?, interests: [RendezvousKey])
        case announce(upTo: UInt64, keys: [RendezvousKey], recordSequence: UInt64?)
    }

    /// Distinguishes this connection's link from an earlier one.
    let id: UInt64
    var nextExchange: Instant
    /// Nothing is sent before.
    var notBefore: Instant
    /// One request at a time.
    var pending: Pending?

    // MARK: Told

    /// Of the next exchange.
    var number: UInt64 = 0
    /// Peers, and the numbers of their records.
    var told: [PeerID: UInt64] = [:]
    var toldAnnouncements: [AnnouncementID: UInt64] = [:]
    var toldInterests: [RendezvousKey] = []
    var toldRecord: UInt64?
    /// Own announcements up to this serial number have been told, or are not going to be.
    var toldSerial: UInt64 = 0
    /// The keys among them: no more than ``PeerExchangeConfiguration/maximumAnnouncementsPerPeer``.
    var toldKeys: Set<RendezvousKey> = []

    // MARK: Heard

    /// The last exchange's.
    var heardNumber: UInt64?
    /// The keys of which the peer wants to hear.
    var interests: [RendezvousKey] = []

    init(id: UInt64, now: Instant) {
        self.id = id
        self.nextExchange = now
        self.notBefore = now
    }

    /// Whether an exchange with this number may come now.
    func expects(_ number: UInt64) -> Bool { number == 0 || self.heardNumber.map { $0 &+ 1 == number } ?? false }

    /// The peer has forgotten what it was told, or missed some of it.
    mutating func restart() {
        self.number = 0
        self.told = [:]
        self.toldAnnouncements = [:]
        self.toldInterests = []
        self.toldRecord = nil
    }
}
