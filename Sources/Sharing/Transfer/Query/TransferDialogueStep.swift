/// How a ``TransferDialogue`` goes on.
enum TransferDialogueStep<Answer: Sendable>: Sendable {
    case ask([TransferAsk])
    case wait
    case end(Answer)
}

extension TransferDialogueStep: Equatable where Answer: Equatable {}
extension TransferDialogueStep: Hashable where Answer: Hashable {}
