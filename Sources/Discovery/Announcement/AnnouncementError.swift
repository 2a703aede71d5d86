/// Why a record is no announcement to believe.
public enum AnnouncementError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No envelope of an announcement, or a field of the wrong length.
    case malformed
    /// Too many bytes, addresses, or too long a name.
    case limitExceeded
    /// The signature is not by the key in the envelope, or was made for another purpose.
    case invalidSignature
    /// Signed by somebody else than the peer that it names.
    case wrongPeer
    case expired
    /// The time stamp is further ahead than clocks differ.
    case fromTheFuture

    public var description: String {
        switch self {
        case .malformed: "not an announcement"
        case .limitExceeded: "an announcement that is too long"
        case .invalidSignature: "an announcement with a wrong signature"
        case .wrongPeer: "an announcement in another peer's name"
        case .expired: "an announcement that is over"
        case .fromTheFuture: "an announcement from the future"
        }
    }
}
