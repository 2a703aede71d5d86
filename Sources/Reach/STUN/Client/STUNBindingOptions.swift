public import NIOCore

/// How one binding request is made.
public struct STUNBindingOptions: Hashable, Sendable {
    /// Asks for an answer from another address or port of the server (RFC 5780).
    public var change: STUNChangeRequest?
    /// Whose answer is believed. Nil: the server's that was asked.
    public var answersFrom: SocketAddress?
    /// Nil: the client's own.
    public var retransmission: STUNRetransmission?
    /// Makes the request long, to see whether fragments pass (RFC 5780 §7.6).
    public var padding: STUNPadding?

    public init() {}
}
