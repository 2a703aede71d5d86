import DIGMultiformats
import Foundation
import NIOCore
import SwiftProtobuf

extension PunchMessage {
    /// DCUtR, "RPC messages": longer ones should be refused.
    static let maximumByteCount = 4096
    /// Ours: addresses that are looked at in one message.
    static let maximumAddressCount = 64

    /// Decodes one message, without the length before it. Addresses that can't be read are left out: peers know protocols that this
    /// program does not.
    init(decoding bytes: ByteBuffer) throws(PunchDecodingError) {
        guard bytes.readableBytes <= Self.maximumByteCount else { throw .tooLong(byteCount: bytes.readableBytes) }
        let message: Dig_Holepunch_Wire_HolePunch
        do { message = try Dig_Holepunch_Wire_HolePunch(serializedBytes: Array(bytes.readableBytesView)) } catch { throw .malformed }
        guard message.hasType else { throw .unknownKind }
        switch message.type {
        case .connect:
            guard message.obsAddrs.count <= Self.maximumAddressCount else { throw .tooManyAddresses(message.obsAddrs.count) }
            self = .connect(message.obsAddrs.compactMap { bytes in do throws(MultiaddrError) { return try Multiaddr(bytes: bytes) } catch { return nil } })
        case .sync:
            self = .sync
        }
    }

    /// Addresses for which there is no room in ``maximumByteCount`` are left out, from the end.
    var encoded: ByteBuffer {
        var message = Dig_Holepunch_Wire_HolePunch()
        switch self {
        case .connect(let addresses):
            message.type = .connect
            // The kind takes two bytes, each address one of tag and at most two of length.
            var room = Self.maximumByteCount - 2
            for address in addresses.prefix(Self.maximumAddressCount) {
                let bytes = address.bytes
                room -= bytes.count + 3
                guard room >= 0 else { break }
                message.obsAddrs.append(Data(bytes))
            }
        case .sync:
            message.type = .sync
        }
        // Serializing fails for missing required fields only, and there are none.
        do { return ByteBuffer(bytes: try message.serializedBytes() as [UInt8]) } catch { preconditionFailure("\(error)") }
    }
}
