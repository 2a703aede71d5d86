/// What a punch is tried with.
public enum PunchTransport: String, Codable, CaseIterable, Hashable, Sendable { case tcp, udp }

/// What one side of a punch saw.
public struct PunchReport: Codable, Hashable, Sendable {
    public var isConnected: Bool
    /// `connect` or `accept`; UDP: `datagram`.
    public var via: String?
    /// Whether a rendezvous brought the two together.
    public var wasIntroduced: Bool
    /// From the start to the introduction.
    public var introducedMilliseconds: Double?
    /// From the introduction to a hello of the peer.
    public var punchedMilliseconds: Double?
    public var local: String?
    public var peer: String?
    /// Connection attempts that were refused on the way.
    public var refusals: Int
    public var reason: String?

    private enum CodingKeys: String, CodingKey {
        case isConnected = "connected"
        case wasIntroduced = "introduced"
        case introducedMilliseconds = "introducedMs"
        case punchedMilliseconds = "punchedMs"
        case via, local, peer, refusals, reason
    }

    static func failed(_ reason: String) -> PunchReport { PunchReport(isConnected: false, wasIntroduced: false, refusals: 0, reason: reason) }
}
