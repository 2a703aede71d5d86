public import DIGIdentity

/// Where attempts are kept. The node's database conforms.
public protocol AttemptStore: Sendable {
    func add(_ record: AttemptRecord) async throws

    /// The last attempts, newest first; to one peer, or to all.
    func attempts(with peer: PeerID?, limit: Int) async throws -> [AttemptRecord]

    /// Summed for each method; for one network, or over all.
    func statistics(in network: NetworkFingerprint?) async throws -> [TraversalMethod: MethodStatistics]
}
