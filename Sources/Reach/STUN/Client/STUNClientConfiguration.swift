public import DIGNet

/// How STUN servers are asked.
public struct STUNClientConfiguration: Sendable {
    public var retransmission = STUNRetransmission()
    /// Ti: how long a request over TCP may take, connecting included (RFC 8489 §6.2.2).
    public var streamTimeout: Duration = .milliseconds(39_500)
    /// Requests waiting for answers; one more fails.
    public var maximumPendingCount = 256
    /// Longer answers are refused. A binding answer has less than 200 bytes; only padding makes it longer.
    public var maximumAnswerByteCount = 2048
    /// Which addresses a server on the internet may claim to see.
    public var addressPolicy = AddressPolicy()
    /// Sent with each request; nil sends none.
    public var software: String?

    public init() {}
}
