public import NIOCore

/// What a STUN server does for others.
public struct STUNServerConfiguration: Sendable {
    /// The two IP addresses and two ports that RFC 5780 needs. Answers leave from any of the four combinations.
    public struct BehaviorDiscovery: Hashable, Sendable {
        /// The address and port that clients know.
        public var primary: SocketAddress
        /// Another address of the same machine and family, and another port.
        public var alternate: SocketAddress

        /// Nil unless both address and port differ and the family is the same.
        public init?(primary: SocketAddress, alternate: SocketAddress) {
            guard primary.protocol == alternate.protocol, primary.ipAddress != nil, primary.ipAddress != alternate.ipAddress,
                primary.port != alternate.port
            else { return nil }
            self.primary = primary
            self.alternate = alternate
        }

        /// The four addresses that the server's UDP sockets have to be bound to, alone or as part of a wildcard.
        public var addresses: [SocketAddress] {
            [(false, false), (false, true), (true, false), (true, true)].map { self.address(other: $0, otherPort: $1) }
        }

        private func address(other: Bool, otherPort: Bool) -> SocketAddress {
            var address = other ? self.alternate : self.primary
            address.port = otherPort ? self.alternate.port : self.primary.port
            return address
        }

        /// The address with the IP address, the port, or both exchanged; nil if `address` is none of the four.
        func changing(_ address: SocketAddress, ip: Bool, port: Bool) -> SocketAddress? {
            guard self.addresses.contains(address) else { return nil }
            let isAlternate = address.ipAddress == self.alternate.ipAddress
            let hasAlternatePort = address.port == self.alternate.port
            return self.address(other: isAlternate != ip, otherPort: hasAlternatePort != port)
        }
    }

    /// Nil: requests to answer from elsewhere are refused with error 420.
    public var behaviorDiscovery: BehaviorDiscovery?
    /// Answers each second to one IPv4 address or one IPv6 /64, in the long run. What is above is dropped silently.
    public var maximumRequestsPerSecond: Double = 5
    /// Answers at once after a pause: discovering the behaviour of a NAT takes ten.
    public var burstCount = 20
    /// Addresses remembered for the rate limit. If all are active, new ones are not answered.
    public var maximumRateLimitedCount = 8192
    /// Whether a client may have the answer sent to another port of its address (RFC 5780 RESPONSE-PORT). Nothing is ever sent to another address.
    public var honoursResponsePort = false
    /// Longer requests are dropped. Only padding makes one longer than 200 bytes; that of 1,500 bytes shows what becomes of fragments.
    public var maximumRequestByteCount = 1600
    /// Sent if it does not make the answer longer than the request.
    public var software: String?
    /// TCP connections open at a time, and of one IPv4 address or IPv6 /64. One more is closed.
    public var maximumConnectionCount = 256
    public var maximumConnectionsPerNetwork = 8
    /// A TCP connection without a request for so long is closed.
    public var idleTimeout: Duration = .seconds(30)

    public init() {}
}
