public import DIGMultiformats
public import DIGNet

/// How a ``PortMapper`` looks for gateways and keeps mappings.
public struct PortMapperConfiguration: Sendable {
    /// Where the gateways are.
    public enum Gateways: Hashable, Sendable {
        /// Those of the system's default routes; looked up again every ``PortMapperConfiguration/refreshInterval``.
        case automatic
        /// These addresses (`/ip4/…`, `/ip6/…`, `/ip6zone/…/ip6/…`), at most one for each family.
        case fixed([Multiaddr])
    }

    public var gateways: Gateways = .automatic

    /// The protocols to try, best first. All are looked for at once; the best that is there makes the mappings, and the next one if it refuses.
    public var methods: [PortMapping.Method] = [.pcp, .natpmp, .upnp]

    /// The address families to map. An IPv6 mapping is a hole in the router's firewall, and only PCP can make it here.
    public var families: Set<AddressFamily> = Set(AddressFamily.allCases)

    /// How long to ask the gateway to keep a mapping; renewed at half of what it grants. RFC 6886 §3.3 recommends two hours; less is forgotten sooner
    /// when this machine vanishes. At least twice ``minimumRenewalInterval``; what a gateway grants beyond a day is taken for a day.
    public var lifetime: Duration = .seconds(3600)

    /// The shortest time between two renewals of a mapping, whatever the gateway grants.
    public var minimumRenewalInterval: Duration = .seconds(2)

    /// How often the gateway is asked whether it has restarted, lost a mapping, or has another external address: two small datagrams, or with UPnP
    /// one HTTP request and one for each mapping. Announcements of the gateway (RFC 6886 §3.2.1, RFC 6887 §14) make it sooner.
    public var checkInterval: Duration = .seconds(30)

    /// How often the system's routes are looked at.
    public var refreshInterval: Duration = .seconds(10)

    /// How long a better protocol is waited for when a lesser one has answered.
    public var preferenceDelay: Duration = .milliseconds(300)

    /// How often a datagram is sent before a gateway counts as silent: 250 ms after the first, and twice as long after each. RFC 6886 §3.1 has 9, which is
    /// 128 s; 5 are 8 s. 1…9.
    public var transmissionCount = 5

    /// How long UPnP gateways are searched.
    public var searchTimeout: Duration = .seconds(3)

    /// How long one HTTP request to a gateway may take, however slowly it answers.
    public var requestTimeout: Duration = .seconds(5)

    /// When all protocols have failed: the first wait until the next round. Each later one is twice as long, up to ``maximumRetryInterval``.
    public var retryInterval: Duration = .seconds(30)
    public var maximumRetryInterval: Duration = .seconds(900)

    /// How long deleting the mappings may take in all when ``PortMapper/run()`` ends. What is not deleted then expires.
    public var exitTimeout: Duration = .seconds(3)

    /// What counts as a public address. Another external address means a NAT above the gateway.
    public var addressPolicy = AddressPolicy()

    /// How many requests are kept.
    public var maximumRequestCount = 32

    /// How many events wait for a slow reader of ``PortMapper/events``; the oldest are dropped.
    public var eventBufferCount = 128

    /// Whether to listen for the announcements of a restarted gateway (224.0.0.1, UDP port 5350). Another program may hold the port: no error.
    public var listensForAnnouncements = true

    /// RFC 6886 §3.1, RFC 6887 §19.1. Only tests have reason to change it.
    package var serverPort: UInt16 = 5351
    /// Only tests have reason to change it: `239.255.255.250:1900`.
    package var searchAddress = IPv4Address(239, 255, 255, 250)
    package var searchPort: UInt16 = 1900

    public init() {}
}
