import DIGContent
public import DIGIdentity

extension SignedData {
    /// A report in the seed's form: `data: {reporterId, reportedPeerId, contentHash, reason}`.
    ///
    /// - Throws: ``AvailabilityError`` or `IdentityError`.
    public static func report(_ report: AvailabilityReport, with keyPair: KeyPair) throws -> SignedData {
        guard report.reporter == keyPair.peerID else { throw AvailabilityError.wrongPeer }
        guard report.reporter != report.reported else { throw AvailabilityError.aboutItself }
        return try SignedData(
            signing: [
                .init(key: "reporterId", value: .string(report.reporter.description)), .init(key: "reportedPeerId", value: .string(report.reported.description)),
                .init(key: "contentHash", value: .string(report.content.description)), .init(key: "reason", value: .string(report.detail ?? report.reason.text)),
            ], timestampMilliseconds: report.timestampMilliseconds, with: keyPair)
    }

    /// What the record reports, once everything in it is found right.
    ///
    /// - Throws: ``AvailabilityError``.
    public func report(names: RecordNames = .init(), nowMilliseconds now: UInt64) throws(AvailabilityError) -> AvailabilityReport {
        guard let reporterText = self.data["reporterId"]?.string, let reportedText = self.data["reportedPeerId"]?.string, let hash = self.data["contentHash"]?.string
        else { throw .malformed }
        var text: String?
        switch self.data["reason"] {
        case nil, .null?: break
        case .string(let reason)?: text = reason
        default: throw .malformed
        }
        guard (text ?? "").utf8.count <= AvailabilityReport.maximumDetailByteCount, reporterText.utf8.count <= RecordNames.maximumTextByteCount else { throw .limitExceeded }
        let reported = try names.peerID(reportedText)
        let content = try names.contentHash(hash)
        let timestamp = self.timestampMilliseconds
        guard timestamp <= now.adding(AvailabilityReport.maximumClockSkew.millisecondCount) else { throw .fromTheFuture }
        guard now.since(timestamp) < AvailabilityReport.maximumAge.millisecondCount else { throw .expired }
        let key = try self.verifiedKey()
        guard RecordNames.names(reporterText, key, writtenAs: self.publicKey) else { throw .wrongPeer }
        let reason = text.map { AvailabilityReport.Reason(text: $0) } ?? .notFound
        let report = AvailabilityReport(
            reporter: key.peerID, reported: reported, content: content, reason: reason, detail: text.flatMap { $0 == reason.text || $0.isEmpty ? nil : $0 },
            timestampMilliseconds: timestamp)
        try report.check(nowMilliseconds: now)
        return report
    }
}
