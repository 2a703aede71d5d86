import DIGMultiformats
import DIGTraversal

/// How bytes reach us, in the words of the progress line.
enum PathDescription {
    /// `TCP direct`, `TCP on this network`, `TCP on this machine`, `TCP through the NAT`, `relayed`.
    static func text(_ path: ConnectionPath) -> String {
        var transport = ""
        var place = "direct"
        for component in path.address.components {
            switch component {
            case .p2pCircuit: return "relayed"
            case .tcp: transport = "TCP "
            case .ws, .wss: transport = "WebSocket "
            case .quicV1: transport = "QUIC "
            case .webrtc, .webrtcDirect: transport = "WebRTC "
            case .ip4(let address): place = self.place(address.scope)
            case .ip6(let address): place = self.place(address.scope)
            default: break
            }
        }
        switch path.method {
        case .tcpHolePunch, .tcpSimultaneousOpen, .dhtAssisted: place = "through the NAT"
        case .portMapping: place = "through a mapped port"
        case .local, .direct, .circuitRelay, .webSocket: break
        }
        return transport + place
    }

    /// The paths of several peers: each once, the most frequent first.
    static func text(_ paths: [ConnectionPath]) -> String? {
        var counts: [String: Int] = [:]
        for path in paths { counts[self.text(path), default: 0] += 1 }
        guard !counts.isEmpty else { return nil }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key).joined(separator: ", ")
    }

    private static func place(_ scope: AddressScope) -> String {
        switch scope {
        case .loopback: "on this machine"
        case .private, .linkLocal: "on this network"
        default: "direct"
        }
    }
}
