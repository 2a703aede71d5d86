public import DIGContent
import DIGNet
import NIOCore

extension TransferQuery {
    /// Has the peer prove that it has `hash`: a block of it that is picked at random here, with its path in the hash tree. Of a folder, a block of one of its
    /// files; of a peer that is still fetching, a block of what it has.
    ///
    /// The proof says that the peer has this block, or can get it quickly; asked again and again, that it has most of them.
    ///
    /// - Throws: ``TransferError`` with `.protocolViolation`, `.stalled` or `.disconnected`; ``ConnectionError`` if no stream could be opened.
    public func possession(of hash: ContentHash) async throws -> PossessionAnswer {
        var generator = SystemRandomNumberGenerator()
        let nonce = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return try await self.possession(PossessionDialogue(hash, nonce: nonce, generator: generator))
    }

    private func possession(_ dialogue: PossessionDialogue) async throws -> PossessionAnswer {
        let promise = self.connection.eventLoop.makePromise(of: PossessionAnswer.self)
        let timeout = TimeAmount(self.timeout)
        let stream: any Channel
        do {
            stream = try await self.connection.openStream(speaking: [ProtocolID(TransferLimits.protocolName)]) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(PossessionHandler(dialogue, timeout: timeout, promise: promise))
                }
            }
        } catch {
            promise.fail(error)
            throw error
        }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            stream.close(promise: nil)
        }
    }
}
