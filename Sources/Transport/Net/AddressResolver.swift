public import DIGIdentity
public import DIGMultiformats

/// Finds the addresses that a `/dnsaddr/…` address stands for (libp2p specs, addressing).
///
/// Names in `/dns/…`, `/dns4/…` and `/dns6/…` are up to each ``Transport``.
public protocol AddressResolver: Sendable {
    /// - Parameters:
    ///   - address: Begins with `/dnsaddr/<name>`. Only addresses that end with the rest of it are returned.
    ///   - peer: Addresses that name another peer at their end are left out; nil: none are.
    /// - Returns: At least one address, none of which begins with `/dnsaddr/…`. They are a stranger's word.
    /// - Throws: Why there is none, or `CancellationError`.
    func addresses(behind address: Multiaddr, of peer: PeerID?) async throws -> [Multiaddr]
}
