public import NIOCore

/// Which protocol a datagram on a shared port belongs to, told from its first byte (RFC 7983, RFC 9443 §2).
///
/// ```
/// 0…3      STUN, if the magic cookie follows     64…79    TURN channel from a TURN server, else QUIC
/// 20…63    DTLS                                  80…255   QUIC
/// ```
///
/// RFC 9443 gives 128…191 to RTP, which is not spoken here; QUIC may use them too (RFC 9287).
public enum DatagramKind: Hashable, Sendable, CaseIterable {
    case stun
    case dtls
    /// A ChannelData message (RFC 8656 §12.4). Only from a source that a handler was registered for.
    case turnChannel
    case quic

    /// RFC 8489 §5.
    static let stunMagicCookie: UInt32 = 0x2112_a442

    /// What `datagram` is if it does not come from a TURN server; nil if it is nothing known.
    public init?(_ datagram: ByteBuffer) {
        guard let first = datagram.getInteger(at: datagram.readerIndex, as: UInt8.self) else { return nil }
        switch first {
        case 0...3:
            guard datagram.getInteger(at: datagram.readerIndex + 4, as: UInt32.self) == Self.stunMagicCookie else { return nil }
            self = .stun
        case 20...63: self = .dtls
        case 64...255: self = .quic
        default: return nil
        }
    }

    /// Whether a first byte is one of a TURN channel (RFC 8656 §12: 0x4000 to 0x4fff).
    static func isTURNChannel(_ datagram: ByteBuffer) -> Bool {
        guard let first = datagram.getInteger(at: datagram.readerIndex, as: UInt8.self) else { return false }
        return (64...79).contains(first)
    }
}
