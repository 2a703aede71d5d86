/// What a channel is opened for, which decides the port it leaves from.
public enum DialPurpose: Hashable, Sendable {
    /// An ordinary connection.
    case connect
    /// To go through the NATs of both ends while the peer does the same: leaves from a listening port, the one that the peer aims at, and
    /// goes on after a refusal until it is cancelled or times out, because the peer may not have begun (RFC 5382 REQ-2).
    case punch
    /// To prove that an address can be reached from anywhere: leaves from a port that nobody has seen.
    case dialBack
}
