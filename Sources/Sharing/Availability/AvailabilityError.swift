/// Why a record was refused. Nothing changes by a record that is.
public enum AvailabilityError: Error, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// No record of the kind expected, or a field that cannot be.
    case malformed
    /// Longer than a record may be.
    case limitExceeded
    /// Signed with a kind of key that is not known here, or the key is not of the kind stated.
    case unsupportedAlgorithm
    /// The signature is not by the key in the record, or was made for another purpose.
    case invalidSignature
    /// Signed by somebody else than the peer that it names as its author.
    case wrongPeer
    /// Too old to count.
    case expired
    /// The time stamp is further ahead than clocks differ.
    case fromTheFuture
    /// Known already, or older than what is known of the same peer.
    case replayed
    /// Older than the last proof of the peer that it is about.
    case refuted
    /// A peer that reports itself; it can withdraw instead.
    case aboutItself
    /// Names a peer by a text that stands for no peer known here.
    case unknownPeer
    /// Names a content by a text that stands for no content known here.
    case unknownContent
    /// More than this peer may have, or say in this time.
    case quotaExceeded
    /// The table is full of what matters more.
    case noRoom

    public var description: String {
        switch self {
        case .malformed: "not a record of this kind"
        case .limitExceeded: "a record that is too long"
        case .unsupportedAlgorithm: "a key of another kind than stated, or of an unknown kind"
        case .invalidSignature: "a wrong signature"
        case .wrongPeer: "a record in another peer's name"
        case .expired: "a record that is too old"
        case .fromTheFuture: "a record from the future"
        case .replayed: "a record that is known, or older than what is known"
        case .refuted: "a report that a later proof has refuted"
        case .aboutItself: "a report of a peer about itself"
        case .unknownPeer: "a peer that is not known by this name"
        case .unknownContent: "a content that is not known by this name"
        case .quotaExceeded: "more than this peer may say"
        case .noRoom: "no room for another record"
        }
    }
}
