public import DIGIdentity

/// Why one peer could not deliver.
public struct PeerFailure: Sendable, CustomStringConvertible {
    /// The peer that was asked.
    public var peer: PeerID
    /// What came of it; its code says whose fault it is.
    public var error: TransferError

    public init(peer: PeerID, error: TransferError) {
        self.peer = peer
        self.error = error
    }

    public var description: String { "\(self.peer): \(self.error)" }
}
