/// Knows the TXT records of names.
protocol TextRecordSource: Sendable {
    /// Each record as one text, its parts joined (RFC 7208 §3.3 does the same); in the order of the answer.
    ///
    /// - Parameter name: A valid domain name without the dot at the end.
    /// - Throws: ``DNSError``, or `CancellationError`.
    func texts(of name: String, until deadline: ContinuousClock.Instant) async throws -> [[UInt8]]
}
