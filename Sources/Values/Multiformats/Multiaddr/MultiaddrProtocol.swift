/// The protocols of a multiaddr, by their number in the multicodec table
/// (<https://github.com/multiformats/multiaddr/blob/master/protocols.csv>).
enum MultiaddrProtocol: UInt64, CaseIterable {
    case ip4 = 4
    case tcp = 6
    case ip6 = 41
    case ip6zone = 42
    case dns = 53
    case dns4 = 54
    case dns6 = 55
    case dnsaddr = 56
    case udp = 273
    case webrtcDirect = 280
    case webrtc = 281
    case p2pCircuit = 290
    case p2p = 421
    case tls = 448
    case sni = 449
    case quicV1 = 461
    case certhash = 466
    case ws = 477
    case wss = 478
    case memory = 777

    var name: String {
        switch self {
        case .ip4: "ip4"
        case .tcp: "tcp"
        case .ip6: "ip6"
        case .ip6zone: "ip6zone"
        case .dns: "dns"
        case .dns4: "dns4"
        case .dns6: "dns6"
        case .dnsaddr: "dnsaddr"
        case .udp: "udp"
        case .webrtcDirect: "webrtc-direct"
        case .webrtc: "webrtc"
        case .p2pCircuit: "p2p-circuit"
        case .p2p: "p2p"
        case .tls: "tls"
        case .sni: "sni"
        case .quicV1: "quic-v1"
        case .certhash: "certhash"
        case .ws: "ws"
        case .wss: "wss"
        case .memory: "memory"
        }
    }

    /// `ipfs` is the former name of `p2p`.
    init?(name: some StringProtocol) {
        let known = name == "ipfs" ? Self.p2p : Self.allCases.first { $0.name == name }
        guard let known else { return nil }
        self = known
    }

    /// What follows the number in the binary form.
    enum ValueSize {
        case none
        case fixed(Int)
        /// A varint with the number of bytes comes first.
        case prefixed
    }

    var valueSize: ValueSize {
        switch self {
        case .p2pCircuit, .tls, .quicV1, .ws, .wss, .webrtc, .webrtcDirect: .none
        case .tcp, .udp: .fixed(2)
        case .ip4: .fixed(4)
        case .memory: .fixed(8)
        case .ip6: .fixed(16)
        case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .p2p, .sni, .certhash: .prefixed
        }
    }
}
