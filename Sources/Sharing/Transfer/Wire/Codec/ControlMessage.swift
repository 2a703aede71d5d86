/// The two directions of a control frame.
enum ControlMessage: Hashable, Sendable {
    case request(TransferRequest)
    case response(TransferResponse)
}
