/// The limits and times of an ``AutoNATv1Server``.
public struct AutoNATv1ServerConfiguration: Sendable {
    public var limits: AutoNATServerLimits = .v1
    /// What may be dialed.
    public var policy = DialBackPolicy()
    /// Addresses dialed for one request; the rest is ignored.
    public var maximumDialedAddresses = 8
    /// For the request to arrive.
    public var requestTimeout: Duration = .seconds(10)
    /// For all the dials of a request together.
    public var dialTimeout: Duration = .seconds(15)

    public init() {}
}
