/// By which way a holder was found, or content is announced.
public enum DiscoverySource: String, Hashable, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    /// The DHT of this software, or a private one.
    case dht
    /// The DHT of libp2p and IPFS.
    case publicDHT = "public-dht"
    /// Peers that are connected, and what they have heard.
    case pex
    /// The local network.
    case local
    case gun
    case gossip

    public var description: String { self.rawValue }

    /// In the order of their names.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}
