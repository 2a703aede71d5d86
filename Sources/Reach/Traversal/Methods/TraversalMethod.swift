/// A way to reach a peer. The raw values are the names that people type, JSON shows and the database keeps.
public enum TraversalMethod: String, Hashable, Sendable, CaseIterable, Codable {
    /// An address of this machine's own network.
    case local
    /// An address that everybody can dial, IPv6 first.
    case direct
    /// An address that the peer's router was asked to open, by UPnP-IGD, NAT-PMP or PCP.
    case portMapping = "upnp"
    /// Both ends dial each other at an agreed time; a relay carries a few messages only, or a backend of signaling that is faster than a DHT.
    case tcpHolePunch = "tcp-hole-punch"
    /// The same with SYNs timed to cross, when the plain form failed.
    case tcpSimultaneousOpen = "tcp-simultaneous-open"
    /// A relay carries everything, encrypted from end to end.
    case circuitRelay = "circuit-relay"
    /// Inside HTTP, on the ports that even strict firewalls leave open.
    case webSocket = "websocket"
    /// Both ends dial each other at a time agreed on through mailboxes in the DHT: no relay, no server and no address need be known.
    case dhtAssisted = "dht"

    /// The rung of the ladder that the method belongs to.
    public var layer: Int {
        switch self {
        case .local: 0
        case .direct: 1
        case .portMapping: 2
        case .tcpHolePunch, .tcpSimultaneousOpen: 3
        case .circuitRelay: 5
        case .webSocket: 6
        case .dhtAssisted: 7
        }
    }

    /// The time that the method has, all its attempts together.
    public var budget: Duration {
        switch self {
        case .local: .seconds(5)
        case .direct: .seconds(15)
        case .portMapping: .seconds(20)
        case .tcpHolePunch, .tcpSimultaneousOpen: .seconds(25)
        case .circuitRelay: .seconds(35)
        case .webSocket: .seconds(20)
        case .dhtAssisted: .seconds(30)
        }
    }

    /// Whether somebody else carries the bytes.
    public var isRelayed: Bool { self == .circuitRelay }

    /// Both ends dial, at a time that they have to agree on before.
    public var isPunch: Bool { self == .tcpHolePunch || self == .tcpSimultaneousOpen || self == .dhtAssisted }

    /// The name of the signaling backend that makes a punch one of layer 7.
    static let dhtSignaling = "dht"

    /// What a person types.
    ///
    /// - Throws: ``TraversalError`` with `.unknownMethod`, naming those there are.
    public init(name: String) throws {
        guard let method = Self(rawValue: name) else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw TraversalError(.unknownMethod, "there is no method \"\(name)\"; choose from \(names)")
        }
        self = method
    }
}
