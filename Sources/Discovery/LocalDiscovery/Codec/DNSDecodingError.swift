/// A datagram that is no message of multicast DNS.
enum DNSDecodingError: Error, Hashable, Sendable {
    /// The message ends inside a field.
    case truncated
    /// More bytes, questions or records than are read.
    case limitExceeded
    /// A label with an unassigned form, a name that is too long, or a pointer that does not point backwards.
    case invalidName
    /// The value of a record does not fill its length, or is of the wrong one.
    case invalidValue
    /// An operation other than a query, or an error (RFC 6762 §18.3, §18.11).
    case notAQuery
}
