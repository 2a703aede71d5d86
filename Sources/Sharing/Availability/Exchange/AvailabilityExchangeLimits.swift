/// The bounds of `/dig/availability/1.0.0`, the same constants at both ends.
enum AvailabilityExchangeLimits {
    /// Of one message.
    static let maximumMessageByteCount = 256 * 1024
    /// What a writer fills at most, which leaves room for what is around the records.
    static let filledByteCount = 240 * 1024
    /// In one message.
    static let maximumStatementCount = 64
    /// The longest record in any form.
    static let maximumStatementByteCount = SignedData.maximumByteCount
}
