public import DIGIdentity

/// Why one peer could not deliver.
public struct PeerFailure: Sendable, CustomStringConvertible {
    /// Who.
    public var peer: PeerID
    /// Why.
    public var error: TransferError

    public init(peer: PeerID, error: TransferError) {
        self.peer = peer
        self.error = error
    }

    public var description: String { "\(self.peer): \(self.error)" }
}
