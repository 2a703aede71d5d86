extension Multiaddr {
    /// One protocol of an address, with its value.
    public enum Component: Hashable, Sendable {
        case ip4(IPv4Address)
        case ip6(IPv6Address)
        /// The zone of the ``ip6(_:)`` that follows: an interface's name or number.
        case ip6zone(String)
        /// A name for whatever addresses it has.
        case dns(String)
        /// A name for its IPv4 addresses.
        case dns4(String)
        /// A name for its IPv6 addresses.
        case dns6(String)
        /// A name whose `_dnsaddr` TXT records are multiaddrs.
        case dnsaddr(String)
        case tcp(UInt16)
        case udp(UInt16)
        case quicV1
        case ws
        case wss
        case tls
        case sni(String)
        case webrtc
        case webrtcDirect
        case certhash(Multihash)
        case p2p(Multihash)
        case p2pCircuit
        case memory(UInt64)
    }
}

extension Multiaddr.Component {
    var `protocol`: MultiaddrProtocol {
        switch self {
        case .ip4: .ip4
        case .ip6: .ip6
        case .ip6zone: .ip6zone
        case .dns: .dns
        case .dns4: .dns4
        case .dns6: .dns6
        case .dnsaddr: .dnsaddr
        case .tcp: .tcp
        case .udp: .udp
        case .quicV1: .quicV1
        case .ws: .ws
        case .wss: .wss
        case .tls: .tls
        case .sni: .sni
        case .webrtc: .webrtc
        case .webrtcDirect: .webrtcDirect
        case .certhash: .certhash
        case .p2p: .p2p
        case .p2pCircuit: .p2pCircuit
        case .memory: .memory
        }
    }

    /// The value in text form, `nil` for a protocol without one.
    var textValue: String? {
        switch self {
        case .ip4(let address): address.description
        case .ip6(let address): address.description
        case .ip6zone(let text), .dns(let text), .dns4(let text), .dns6(let text), .dnsaddr(let text), .sni(let text): text
        case .tcp(let port), .udp(let port): String(port)
        case .certhash(let hash): Multibase.base64url.encode(hash.bytes)
        case .p2p(let hash): hash.description
        case .memory(let number): String(number)
        case .quicV1, .ws, .wss, .tls, .webrtc, .webrtcDirect, .p2pCircuit: nil
        }
    }

    /// The value in binary form, without a length.
    var binaryValue: [UInt8] {
        switch self {
        case .ip4(let address): address.bytes
        case .ip6(let address): address.bytes
        case .ip6zone(let text), .dns(let text), .dns4(let text), .dns6(let text), .dnsaddr(let text), .sni(let text):
            Array(text.utf8)
        case .tcp(let port), .udp(let port): [UInt8(truncatingIfNeeded: port >> 8), UInt8(truncatingIfNeeded: port)]
        case .certhash(let hash), .p2p(let hash): hash.bytes
        case .memory(let number): (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
        case .quicV1, .ws, .wss, .tls, .webrtc, .webrtcDirect, .p2pCircuit: []
        }
    }
}
