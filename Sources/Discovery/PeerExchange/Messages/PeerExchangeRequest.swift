import DIGAnnouncement
import DIGIdentity

/// What a peer asks or tells, one on each stream. Envelopes are as received: not yet looked into.
enum PeerExchangeRequest: Hashable, Sendable {
    case exchange(ExchangeMessage)
    case announce(AnnounceMessage)
    /// Who has what the key stands for?
    case query(RendezvousKey)
    /// Of a later version.
    case unknown
}

/// What has changed since the exchange before.
struct ExchangeMessage: Hashable, Sendable {
    /// Counts the exchanges with one peer; 0 begins anew.
    var number: UInt64 = 0
    /// The sender's own record; nil if it has not changed.
    var record: [UInt8]?
    /// Records of peers that the sender has met.
    var added: [[UInt8]] = []
    /// Peers that it no longer vouches for.
    var dropped: [PeerID] = []
    /// All keys of which the sender wants to hear.
    var interests: [RendezvousKey] = []
    /// Announcements under the receiver's keys, by peers that the sender has met.
    var announcements: [[UInt8]] = []
}

/// The sender's own announcements and withdrawals.
struct AnnounceMessage: Hashable, Sendable {
    var record: [UInt8]?
    var announcements: [[UInt8]] = []
}
