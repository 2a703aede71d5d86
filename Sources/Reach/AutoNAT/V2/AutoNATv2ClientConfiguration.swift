/// The limits and times of an ``AutoNATv2Client``.
public struct AutoNATv2ClientConfiguration: Sendable {
    /// The most that is sent for one dial. Servers ask for 30 to 100 kB (autonat v2, "Amplification Attack Prevention").
    public var maximumDialDataByteCount = 100_000
    /// From opening the stream to the answer. A server has 15 s for the data and as much for the dial.
    public var requestTimeout: Duration = .seconds(35)
    /// How long the nonce may take after the answer.
    public var dialBackTimeout: Duration = .seconds(5)

    public init() {}
}
