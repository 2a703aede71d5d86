import DIGAvailability
import DIGContent
import DIGIdentity
import DIGNet
import DIGStorage

extension NetworkManager {
    /// Reports in the name of the node's owner, also while another process is the node and this one has a key for the moment only.
    ///
    /// - Parameter key: The node's.
    /// - Returns: How many other nodes were told.
    /// - Throws: `AvailabilityError` `.aboutItself` or `.limitExceeded`, `IdentityError`, or `StorageError`.
    package func report(
        _ peer: PeerID, _ content: ContentHash, reason: AvailabilityReport.Reason, detail: String? = nil, signedBy key: KeyPair
    ) async throws -> Int {
        guard key.publicKey != self.identity.publicKey else {
            return try await self.availability.reportContentUnavailable(peer, content, reason: reason, detail: detail)
        }
        let now = WallClock.nowMilliseconds
        let report = AvailabilityReport(reporter: key.peerID, reported: peer, content: content, reason: reason, detail: detail, timestampMilliseconds: now)
        let envelope = try report.signed(with: key)
        let record = AvailabilityContents.Record(
            holder: .init(peer: peer, content: content), author: key.peerID, isReport: true, record: SignedRecord(.envelope(envelope), receivedMilliseconds: now))
        try await SQLiteAvailabilityStore(database: self.database).save(AvailabilityContents.Changes(records: [record]))
        return try await ReportSpreader(exchange: self.nodeAvailability.exchange, gossip: self.discovery.gossipMechanism, logger: self.logger).send(report, envelope: envelope)
    }
}
