/// How a direct connection came about, by the names that records and options use.
public enum PunchMethod: String, Hashable, Sendable, CaseIterable {
    /// An ordinary dial, while punching, to an address that lets everybody in: the peer needed no hole.
    case direct = "direct"
    /// Both ends dial each other's mapped address from their listening ports, again and again within a window.
    case tcpHolePunch = "tcp-hole-punch"
    /// The same with the moment measured anew, so that the two SYNs cross between the NATs: for those that answer a stranger's SYN with a
    /// reset, which kills whichever end dials too late (RFC 5382 REQ-2, RFC 9293 §3.5).
    case tcpSimultaneousOpen = "tcp-simultaneous-open"
}
