/// Why a message through a signaling backend is not taken or not sent.
public enum SignalingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No message, or fields that can't be.
    case malformed
    case limitExceeded
    /// Not signed by whoever it says, or for something else.
    case invalidSignature
    /// Meant for somebody else.
    case notTheRecipient
    /// The key is not that of the message's sender.
    case notTheSender
    /// Its time is over, or it claims too much of it.
    case expired
    /// The backend is closed.
    case closed

    public var description: String {
        switch self {
        case .malformed: "not a signaling message"
        case .limitExceeded: "a signaling message that is too long"
        case .invalidSignature: "a signaling message with a wrong signature"
        case .notTheRecipient: "a signaling message for another peer"
        case .notTheSender: "a signaling message in another peer's name"
        case .expired: "a signaling message that is out of date"
        case .closed: "the signaling backend is closed"
        }
    }
}
