extension TransferError {
    /// What a holder's refusal means for whoever asked.
    ///
    /// - Parameter subject: Who refused; "the peer" where the peer is named beside the error.
    package static func refusal(_ reason: UnavailableReason, by subject: String = "the peer") -> TransferError {
        switch reason {
        case .authenticationRequired:
            TransferError(
                .authenticationRequired,
                "\(subject) serves only peers that prove who they are, and this one did not; ask its owner to trust this node's key, or for a link with a token")
        case .notAuthorized:
            TransferError(
                .notAuthorized, "\(subject) knows who asks and does not serve it; ask its owner to trust this node's key, or for a link with a token that is still good")
        default:
            TransferError(.refused, "\(subject) refused (\(reason)); ask it again later")
        }
    }
}
