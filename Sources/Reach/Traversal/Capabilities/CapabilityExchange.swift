import DIGIdentity
import DIGNet
import NIOCore

/// `/dig/capabilities/1.0.0`: whoever opens the stream gets the other's signed record as one message.
enum CapabilityExchange {
    static let protocolID: ProtocolID = "/dig/capabilities/1.0.0"
    /// An envelope with ``PeerConnectionCapabilities/maximumAddressCount`` addresses fits well.
    static let maximumByteCount = 16 * 1024
    static let timeout: Duration = .seconds(10)

    /// Answers the stream with `record` and ends it.
    static func answer(_ stream: any Channel, with record: @escaping @Sendable () throws -> SignedEnvelope) -> EventLoopFuture<Void> {
        stream.eventLoop.makeCompletedFuture {
            let messages = try MessageStream(on: stream, limit: 0, timeout: Self.timeout)
            messages.write(ByteBuffer(bytes: try record().encoded))
            messages.finish()
            // The end of the peer's side ends the stream.
            messages.read().whenComplete { _ in messages.close() }
        }
    }

    /// Asks the peer of `connection`.
    ///
    /// - Throws: `ConnectionError`; `IdentityError` if the record is not the peer's own.
    static func ask(_ connection: any Connection) async throws -> PeerConnectionCapabilities {
        try await connection.withMessages(speaking: Self.protocolID, limit: Self.maximumByteCount, timeout: Self.timeout) { messages in
            let bytes = try await messages.read().get()
            let record = try PeerConnectionCapabilities(opening: SignedEnvelope(decoding: Array(bytes.readableBytesView)))
            guard record.peer == connection.remotePeer else {
                throw ConnectionError(.protocolViolation, "\(connection.remotePeer) sent the capabilities of \(record.peer)")
            }
            return record
        }
    }
}
