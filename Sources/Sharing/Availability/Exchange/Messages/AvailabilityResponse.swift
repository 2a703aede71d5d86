/// The answer to an ``AvailabilityRequest``.
struct AvailabilityResponse: Hashable, Sendable {
    /// One for each statement that was told, in order.
    var verdicts: [StatementVerdict] = []
    /// What is known about the content that was asked about.
    var known: [Statement] = []
}
