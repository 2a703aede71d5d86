/// The two orders in which methods are tried when nothing is known about a network.
public enum TraversalPreset: String, Hashable, Sendable, CaseIterable {
    /// The layers of the dual-role architecture: direct, port mapping, punching, circuit relay, WebSocket, DHT-assisted punching.
    case dualRole = "dual-role"
    /// The decision flow of the whitepaper: port mapping before anything else, then punching, the relay last.
    case whitepaper

    public var methods: [TraversalMethod] {
        switch self {
        case .dualRole: [.local, .direct, .portMapping, .tcpHolePunch, .tcpSimultaneousOpen, .circuitRelay, .webSocket, .dhtAssisted]
        case .whitepaper: [.local, .portMapping, .direct, .tcpHolePunch, .tcpSimultaneousOpen, .webSocket, .dhtAssisted, .circuitRelay]
        }
    }
}
