public import DIGContent

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
        return try await self.answer(to: PossessionDialogue(hash, nonce: nonce, generator: generator))
    }
}
