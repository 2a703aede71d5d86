import DIGIdentity
import Foundation
import NIOCore
import SwiftProtobuf

extension StopMessage {
    /// Reads one message, without its length. Fields not known are skipped.
    init(decoding bytes: ByteBuffer) throws(CircuitDecodingError) {
        let message: Dig_Relay_Wire_StopMessage = try CircuitCodec.parse(bytes)
        guard message.hasType else { throw .missingType }
        switch message.type {
        case .connect:
            let peer = try CircuitCodec.peer(message.hasPeer ? message.peer : nil)
            self = .connect(peer, limit: message.hasLimit ? RelayLimit(message.limit) : nil)
        case .status:
            guard message.hasStatus else { throw .missingStatus }
            self = .status(RelayStatus(rawValue: message.status))
        case .UNRECOGNIZED(let value):
            throw .unknownType(value)
        }
    }

    /// The message without its length.
    var encoded: ByteBuffer {
        var message = Dig_Relay_Wire_StopMessage()
        switch self {
        case .connect(let peer, let limit):
            message.type = .connect
            message.peer.id = Data(peer.bytes)
            if let limit { message.limit = .init(limit) }
        case .status(let status):
            message.type = .status
            message.status = status.rawValue
        }
        return CircuitCodec.serialize(message)
    }
}
