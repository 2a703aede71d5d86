import DIGNet
import NIOCore
import Synchronization

/// A `/libp2p/dcutr` stream in a relayed connection, which is authenticated and encrypted from end to end already.
struct StreamPunchChannel: PunchChannel {
    private let messages: MessageStream

    var name: String { PunchEvent.relaySignaling }

    /// - Parameter timeout: For each message; longer than any wait of the state machines.
    init(on stream: any Channel, timeout: Duration) throws {
        self.messages = try MessageStream(on: stream, limit: PunchMessage.maximumByteCount, timeout: timeout)
    }

    /// Opens a stream for a conversation.
    static func open(in connection: any Connection, timeout: Duration) async throws -> StreamPunchChannel {
        let opened = Mutex<StreamPunchChannel?>(nil)
        let stream = try await connection.openStream(speaking: [HolePuncher.protocolID]) { stream, _ in
            stream.eventLoop.makeCompletedFuture {
                let channel = try StreamPunchChannel(on: stream, timeout: timeout)
                opened.withLock { $0 = channel }
            }
        }
        guard let channel = opened.withLock({ $0 }) else {
            stream.close(promise: nil)
            throw ConnectionError(.closed, "the stream was gone before it was used")
        }
        return channel
    }

    func send(_ message: PunchMessage) async throws {
        try await self.messages.write(message.encoded).get()
    }

    func receive() async throws -> PunchMessage {
        let bytes = try await withTaskCancellationHandler {
            try await self.messages.read().get()
        } onCancel: {
            self.messages.close()
        }
        return try PunchMessage(decoding: bytes)
    }

    func finish() {
        // Both directions: nothing of the peer's matters any more either.
        self.messages.finish()
        self.messages.close()
    }

    func close() {
        self.messages.close()
    }
}
