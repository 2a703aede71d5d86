import DIGIdentity
import DIGMultiformats
import Foundation
import NIOCore
import SwiftProtobuf

extension HopMessage {
    /// Ours: addresses kept from a reservation, and written into one.
    static let maximumAddressCount = 16

    /// Reads one message, without its length. Fields not known are skipped.
    init(decoding bytes: ByteBuffer) throws(CircuitDecodingError) {
        let message: Dig_Relay_Wire_HopMessage = try CircuitCodec.parse(bytes)
        guard message.hasType else { throw .missingType }
        switch message.type {
        case .reserve:
            self = .reserve
        case .connect:
            self = .connect(try CircuitCodec.peer(message.hasPeer ? message.peer : nil))
        case .status:
            guard message.hasStatus else { throw .missingStatus }
            var grant: ReservationGrant?
            if message.hasReservation {
                guard message.reservation.hasExpire else { throw .missingExpiration }
                grant = ReservationGrant(
                    expirationSeconds: message.reservation.expire,
                    addresses: message.reservation.addrs.prefix(Self.maximumAddressCount).compactMap { bytes in
                        do throws(MultiaddrError) { return try Multiaddr(bytes: bytes) } catch { return nil }
                    },
                    voucher: message.reservation.hasVoucher ? Array(message.reservation.voucher) : nil)
            }
            self = .status(
                RelayStatus(rawValue: message.status), reservation: grant, limit: message.hasLimit ? RelayLimit(message.limit) : nil)
        case .UNRECOGNIZED(let value):
            throw .unknownType(value)
        }
    }

    /// The message without its length, within ``CircuitRelay/maximumMessageByteCount``: addresses that don't fit are left out, the last first.
    var encoded: ByteBuffer {
        var message = Dig_Relay_Wire_HopMessage()
        switch self {
        case .reserve:
            message.type = .reserve
        case .connect(let peer):
            message.type = .connect
            message.peer.id = Data(peer.bytes)
        case .status(let status, let grant, let limit):
            message.type = .status
            message.status = status.rawValue
            if let limit { message.limit = .init(limit) }
            if let grant {
                message.reservation.expire = grant.expirationSeconds
                if let voucher = grant.voucher { message.reservation.voucher = Data(voucher) }
                message.reservation.addrs = grant.addresses.prefix(Self.maximumAddressCount).map { Data($0.bytes) }
            }
        }
        var bytes = CircuitCodec.serialize(message)
        while bytes.readableBytes > CircuitRelay.maximumMessageByteCount, message.reservation.addrs.popLast() != nil {
            bytes = CircuitCodec.serialize(message)
        }
        return bytes
    }
}
