/// One question, which ends with the first answer.
struct TransferQuestion: TransferDialogue {
    static let overdueMessage = "the peer did not answer in time"

    let ask: TransferAsk

    init(_ request: TransferRequest, handle: UInt32) {
        self.ask = TransferAsk(handle: handle, request: request)
    }

    func begin() -> [TransferAsk] { [self.ask] }

    func received(_ response: TransferResponse, handle: UInt32) throws(TransferError) -> TransferDialogueStep<TransferResponse> {
        guard handle == self.ask.handle else { throw TransferError(.protocolViolation, "the peer sent what was not asked for") }
        return .end(response)
    }
}
