/// The limits and times of an ``AutoNATv2Server``.
public struct AutoNATv2ServerConfiguration: Sendable {
    public var limits: AutoNATServerLimits = .v2
    /// What may be dialed.
    public var policy = DialBackPolicy()
    /// Bytes asked for before an IP address other than the asker's is dialed; a number in this range each time. autonat v2, "Amplification
    /// Attack Prevention": 30 to 100 kB, more than a handshake costs.
    public var dialDataByteCount: ClosedRange<Int> = 30_000...100_000
    /// Smaller pieces of that data, the last excepted, end the request: they would cost us more than the asker.
    public var minimumDataByteCount = 100
    /// Before a dial that was paid for with data there is a pause of random length up to this, so that many servers can't be made to dial one
    /// victim at the same instant.
    public var maximumDialDelay: Duration = .seconds(3)
    /// From the request's stream to the request and, where it is asked for, the last byte of data. Then the stream is reset and nothing dialed.
    public var requestTimeout: Duration = .seconds(15)
    /// For the connection to the address, handshake included.
    public var dialTimeout: Duration = .seconds(10)
    /// For the asker to take the nonce.
    public var dialBackTimeout: Duration = .seconds(5)

    public init() {}
}
