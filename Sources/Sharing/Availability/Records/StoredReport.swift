public import DIGIdentity

/// What the table keeps of a report.
public struct StoredReport: Hashable, Sendable, Codable {
    public var reporter: PeerID
    public var reason: AvailabilityReport.Reason
    /// When it was signed, or received if that was earlier by our clock; milliseconds since 1970.
    public var timestampMilliseconds: UInt64
}
