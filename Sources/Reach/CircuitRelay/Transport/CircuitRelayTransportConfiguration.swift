public import DIGNet

/// The limits and times of a ``CircuitRelayTransport``.
public struct CircuitRelayTransportConfiguration: Sendable {
    /// For each answer of a relay. It includes the relay's own way to the target, so a few round trips at least.
    public var requestTimeout: Duration = .seconds(15)
    /// Circuits from others that are open at once through one relay. More are refused with RESOURCE_LIMIT_EXCEEDED.
    public var maximumInboundCircuitsPerRelay = 256
    /// Which of the addresses that a relay names are advertised, unless the relay is a configured one.
    public var addressPolicy = AddressPolicy()

    public init() {}
}
