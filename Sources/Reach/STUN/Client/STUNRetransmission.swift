/// When a request over UDP is sent again (RFC 8489 §6.2.1).
public struct STUNRetransmission: Hashable, Sendable {
    /// RTO: the wait after the first transmission; each later wait is twice the last.
    public var initialTimeout: Duration = .milliseconds(500)
    /// Rc: transmissions in all, at least one.
    public var transmissionCount = 7
    /// Rm: the wait after the last transmission, in RTOs.
    public var finalTimeoutFactor = 16

    public init() {}

    /// Ours, for questions that often have no answer, as with filters: at 0, 0.4, 1.2 and 2.8 s, given up after 4.4 s.
    public static var probe: Self {
        var value = Self()
        value.initialTimeout = .milliseconds(400)
        value.transmissionCount = 4
        value.finalTimeoutFactor = 4
        return value
    }
}
