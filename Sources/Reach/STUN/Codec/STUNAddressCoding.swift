import DIGMultiformats
import DIGNet
package import NIOCore

/// Addresses in attributes (RFC 8489 §14.1, §14.2).
///
/// ```
/// 0 (1) | family: 1 is IPv4, 2 is IPv6 (1) | port (2) | address (4 or 16)
/// ```
///
/// Masked: the port with the first half of the magic cookie, the address with cookie and transaction id.
package enum STUNAddressCoding {
    package static func decode(
        _ bytes: [UInt8], of type: STUNAttributeType, maskedWith transactionID: STUNTransactionID? = nil
    ) throws(STUNDecodingError) -> SocketAddress {
        guard bytes.count >= 4 else { throw .invalidAttribute(type) }
        let mask = transactionID.map(Self.mask)
        var port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        if transactionID != nil { port ^= UInt16(truncatingIfNeeded: STUNMessage.magicCookie >> 16) }
        var ip = Array(bytes[4...])
        if let mask { ip = zip(ip, mask).map { $0 ^ $1 } + ip.dropFirst(mask.count) }
        let component: Multiaddr.Component
        switch bytes[1] {
        case 1:
            guard let address = IPv4Address(bytes: ip) else { throw .invalidAttribute(type) }
            component = .ip4(address)
        case 2:
            guard let address = IPv6Address(bytes: ip) else { throw .invalidAttribute(type) }
            component = .ip6(address)
        default:
            throw .invalidAttribute(type)
        }
        do { return try SocketAddress(ip: [component], port: port) } catch { throw .invalidAttribute(type) }
    }

    /// A socket's path in the file system has no encoding and becomes `0.0.0.0:0`.
    package static func encode(_ address: SocketAddress, maskedWith transactionID: STUNTransactionID? = nil) -> [UInt8] {
        var ip: [UInt8] = [0, 0, 0, 0]
        switch Multiaddr(ip: address)?.components.last {
        case .ip4(let address): ip = address.bytes
        case .ip6(let address): ip = address.bytes
        default: break
        }
        var port = UInt16(truncatingIfNeeded: address.port ?? 0)
        if let transactionID {
            port ^= UInt16(truncatingIfNeeded: STUNMessage.magicCookie >> 16)
            ip = zip(ip, Self.mask(transactionID)).map { $0 ^ $1 }
        }
        return [0, ip.count == 4 ? 1 : 2, UInt8(truncatingIfNeeded: port >> 8), UInt8(truncatingIfNeeded: port)] + ip
    }

    private static func mask(_ transactionID: STUNTransactionID) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: STUNMessage.magicCookie >> $0) } + transactionID.bytes
    }
}
