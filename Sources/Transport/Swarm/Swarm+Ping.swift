public import DIGIdentity
import DIGNet
import NIOCore

extension Swarm {
    /// Measures the round trip to a connected peer.
    ///
    /// - Throws: `ConnectionError` `.closed` if the peer is not connected, `.noCommonProtocol` if it does not answer pings, `.timedOut`
    ///   after ``SwarmConfiguration/streamNegotiationTimeout``.
    public func ping(_ peer: PeerID) async throws -> Duration {
        guard let connection = self.openConnection(to: peer) else {
            throw ConnectionError(.closed, "\(peer) is not connected")
        }
        var generator = SystemRandomNumberGenerator()
        let payload = (0..<Ping.payloadByteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let answer = connection.eventLoop.makePromise(of: Duration.self)
        let stream: any Channel
        do {
            stream = try await connection.openStream(speaking: [Ping.protocolID]) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(PingInitiator(payload: payload, promise: answer))
                }
            }
        } catch {
            answer.fail(error)
            throw error
        }
        let timeout = self.configuration.streamNegotiationTimeout
        // Ends a stream that the peer does not end, too.
        let timer = stream.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            answer.fail(ConnectionError(.timedOut, "\(peer) did not answer a ping within \(timeout)"))
            stream.close(promise: nil)
        }
        stream.closeFuture.whenComplete { _ in timer.cancel() }
        return try await withTaskCancellationHandler {
            try await answer.futureResult.get()
        } onCancel: {
            answer.fail(CancellationError())
            stream.close(promise: nil)
        }
    }
}
