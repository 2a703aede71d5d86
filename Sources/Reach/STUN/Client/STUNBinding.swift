public import NIOCore

/// What a STUN server said about us.
public struct STUNBinding: Hashable, Sendable {
    /// Our address as the server sees it: behind a NAT the address of its mapping.
    public var mapped: SocketAddress
    /// Where the answer came from.
    public var source: SocketAddress
    /// Where the server says it answered from (RFC 5780).
    public var responseOrigin: SocketAddress?
    /// The server's other address, if it helps to discover the behaviour of NATs (RFC 5780) and the address is to be believed.
    public var otherAddress: SocketAddress?
    /// For a person.
    public var software: String?
    /// From the last transmission to the answer: too short if an earlier one was answered.
    public var roundTripTime: Duration

    public init(
        mapped: SocketAddress, source: SocketAddress, responseOrigin: SocketAddress? = nil, otherAddress: SocketAddress? = nil,
        software: String? = nil, roundTripTime: Duration = .zero
    ) {
        self.mapped = mapped
        self.source = source
        self.responseOrigin = responseOrigin
        self.otherAddress = otherAddress
        self.software = software
        self.roundTripTime = roundTripTime
    }
}
