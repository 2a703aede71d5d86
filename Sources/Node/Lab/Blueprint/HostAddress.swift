/// Where a host of the lab lives.
public struct HostAddress: Hashable, Sendable {
    public var name: String
    /// The home it is in; `nil` for a public host.
    public var home: String?
    /// As the host itself sees it.
    public var ipv4: String
    public var ipv6: String?
}
