/// How a node announces itself and looks for others in the local network.
public struct LocalDiscoveryConfiguration: Sendable {
    /// Which of the machine's interfaces to use.
    public enum Interfaces: Hashable, Sendable {
        /// Every interface that can multicast; the loopback interface when there is no other.
        case automatic
        /// The loopback interface only: the processes of one machine.
        case loopback
        /// Those with these names, such as `eth0`.
        case named([String])
    }

    /// The UDP port. 5353 is that of every other implementation (RFC 6762 §3); another makes an island.
    public var port: UInt16 = 5353

    public var interfaces: Interfaces = .automatic

    /// What this node calls itself, for people: everybody in the local network can read it. 63 bytes of it are told, without control characters.
    /// Nil, the default: nothing.
    public var announceName: String?

    /// Whether this node says, when asked, that it has a content; see ``LocalDiscovery/announce(_:)``.
    public var answersForContents = true

    /// How long others may believe an announcement. RFC 6762 §10 recommends 120 s for records that hold addresses. A peer
    /// that vanishes without a goodbye is forgotten after this time; others ask again when four fifths are over.
    /// At least a second.
    public var recordLifetime: Duration = .seconds(120)

    /// The longest time between two queries. They start a second apart and the interval doubles (RFC 6762 §5.2, where the
    /// ceiling is an hour).
    public var maximumQueryInterval: Duration = .seconds(600)

    /// How often the machine's interfaces are looked at for changes, and the node's own addresses too.
    public var refreshInterval: Duration = .seconds(10)

    /// How many peers are remembered; further ones are ignored until one is forgotten.
    public var maximumPeerCount = 256

    /// How many addresses of one peer are kept, and how many of our own are announced: as many of them as fit in one packet.
    public var maximumAddressCount = 32

    /// How many events wait for a slow reader of ``LocalDiscovery/findPeers()``; the oldest are dropped.
    public var eventBufferCount = 256

    public init() {}
}
