/// A request under a handle.
struct TransferAsk: Hashable, Sendable {
    var handle: UInt32
    var request: TransferRequest
}
