/// What is asked of a peer over a stream of its own, up to an answer.
///
/// A value: what the peer sends goes in, what to send comes out. A ``TransferDialogueHandler`` leads it.
protocol TransferDialogue: Sendable {
    /// What it ends with.
    associatedtype Answer: Sendable

    /// What the error says if there is no answer in time.
    static var overdueMessage: String { get }

    /// The first questions. Called once.
    mutating func begin() -> [TransferAsk]

    /// Takes what the peer sends; not called again after `.end`, or after it has thrown.
    ///
    /// - Throws: ``TransferError`` `.protocolViolation` for what was not asked for.
    mutating func received(_ response: TransferResponse, handle: UInt32) throws(TransferError) -> TransferDialogueStep<Answer>
}
