public import DIGMultiformats
public import DIGNet
public import DIGYamux

/// The limits and times of a ``Swarm``.
public struct SwarmConfiguration: Sendable {
    /// Connections kept. One more closes the least useful that is neither protected nor in use; if there is none, the newcomer is refused.
    /// May be changed later, see ``Swarm/maximumConnections``.
    public var maximumConnections = 200
    /// Connections kept to one peer, of which one is used for new streams. One more closes the one that has been of no use for longest; if all
    /// are in use, the newcomer is refused. A peer that lost its connections without a word dials again before they are given up.
    public var maximumConnectionsPerPeer = 8
    /// Accepted channels that are still shaking hands. More are closed at once.
    public var maximumInboundHandshakes = 128
    /// The same from one address, or one IPv6 network of 64 bits, so that one machine that stays silent does not keep all others out.
    /// This machine's own addresses are exempt.
    public var maximumInboundHandshakesPerAddress = 32
    /// From a connected channel to a multiplexed connection, all steps together. Slow links need a few round trips.
    public var handshakeTimeout: Duration = .seconds(10)
    /// From opening a stream to its protocol being agreed.
    public var streamNegotiationTimeout: Duration = .seconds(10)
    /// Inbound streams of one connection whose protocol is not agreed yet. More are reset.
    public var maximumNegotiatingStreams = 256
    /// Inbound streams of identify, its push and ping on one connection, all together. More are reset. The ping specification asks for no
    /// more than two from one peer.
    public var maximumHousekeepingStreams = 16
    /// How long a connection without streams is kept; identify and ping don't count as streams. Protected peers are exempt.
    public var idleTimeout: Duration = .seconds(60)
    /// How long the second connection to a peer is kept without streams before its dialer closes it. Covers what the peer had sent when it
    /// learned about the first one, so it should be longer than a round trip.
    public var redundantConnectionGrace: Duration = .seconds(2)
    /// Two connections dialed by either side within this time were dialed at the same time: the one dialed by the lower peer id stays.
    /// Later, the newer one stays: its dialer has lost the older one.
    public var simultaneousDialWindow: Duration = .seconds(10)
    /// How long ``Swarm/shutdown()`` lets connections say goodbye.
    public var closeTimeout: Duration = .seconds(5)
    public var dialing = DialConfiguration()
    public var yamux = YamuxConfiguration()

    /// Which addresses may be dialed at all. What is refused here shows as such in the error of the dial.
    public var addressFilter: @Sendable (Multiaddr) -> Bool = { _ in true }

    /// What a dial with ``DIGNet/DialOptions/source`` `.stranger` may reach, also behind a name, and which addresses are announced first.
    public var addressPolicy = AddressPolicy()

    /// Finds what `/dnsaddr/…` addresses stand for. Nil: they can't be dialed, and the error says so. What comes out is dialed as if the
    /// same source had named it.
    public var addressResolver: (any AddressResolver)?

    /// How often the machine's interfaces are looked at while a wildcard is listened on. Each look costs one system call.
    public var interfacePollInterval: Duration = .seconds(5)
    /// What stands for a wildcard. A test puts its own in place.
    package var interfaceAddresses: @Sendable () -> [Multiaddr.Component] = Self.systemInterfaceAddresses
    /// Addresses that identify and the signed peer record mention. More are left out, loopback and private ones first. A record of 32
    /// addresses over relays fits the 8 KiB that peers read.
    public var maximumAnnouncedAddresses = 32

    /// Events kept for a slow reader of ``Swarm/events``; the oldest are dropped beyond.
    public var eventBufferCount = 256

    /// What identify says about this program.
    public var agentVersion = "dig-nat-tools/0.1.0"
    public var protocolVersion = "ipfs/0.1.0"

    public init() {}
}
