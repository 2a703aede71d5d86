import DIGIdentity
import NIOCore
import SwiftProtobuf

/// What the codecs of both protocols share.
enum CircuitCodec {
    static func parse<Message: SwiftProtobuf.Message>(_ bytes: ByteBuffer) throws(CircuitDecodingError) -> Message {
        guard bytes.readableBytes <= CircuitRelay.maximumMessageByteCount else { throw .tooLong(bytes.readableBytes) }
        do { return try Message(serializedBytes: Array(bytes.readableBytesView)) } catch { throw .malformed }
    }

    static func serialize(_ message: some SwiftProtobuf.Message) -> ByteBuffer {
        // Serializing fails for missing required fields only, and there are none.
        do { return ByteBuffer(bytes: try message.serializedBytes() as [UInt8]) } catch { preconditionFailure("\(error)") }
    }

    static func peer(_ peer: Dig_Relay_Wire_Peer?) throws(CircuitDecodingError) -> PeerID {
        guard let peer, peer.hasID else { throw .invalidPeer }
        do throws(IdentityError) { return try PeerID(bytes: peer.id) } catch { throw .invalidPeer }
    }
}

extension RelayLimit {
    init(_ limit: Dig_Relay_Wire_Limit) {
        self.init(
            durationSeconds: limit.hasDuration ? limit.duration : nil, byteCount: limit.hasData ? limit.data : nil)
    }
}

extension Dig_Relay_Wire_Limit {
    init(_ limit: RelayLimit) {
        self.init()
        self.duration = limit.durationSeconds ?? 0
        self.data = limit.byteCount ?? 0
    }
}
