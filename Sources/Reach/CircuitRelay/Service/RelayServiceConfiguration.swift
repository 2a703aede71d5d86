public import DIGIdentity
public import DIGMultiformats
public import DIGNet

/// The limits of a ``RelayService``.
///
/// The defaults let files through, unlike the 128 KiB and two minutes of many public relays, and keep what strangers can take from a home
/// connection bounded: 16 MiB each second, 64 GiB each day.
public struct RelayServiceConfiguration: Sendable {
    // MARK: Reservations

    /// Reservations at once; one for each peer. Each keeps a connection open, so the swarm's `maximumConnections` has to be larger.
    public var maximumReservations = 1024
    /// The same from one IPv4 address or one IPv6 network of 64 bits. Behind a carrier's NAT many share one. This machine's own are exempt.
    public var maximumReservationsPerAddress = 32
    /// The same from one IPv6 network of 48 bits.
    public var maximumReservationsPerNetwork = 128
    /// How long a reservation lasts unless it is refreshed. At least 30 s, below which clients refuse it.
    public var reservationLifetime: Duration = .seconds(3600)

    // MARK: Circuits

    /// Circuits at once.
    public var maximumCircuits = 512
    /// Circuits of one peer at once, as initiator and as target together.
    public var maximumCircuitsPerPeer = 64
    /// Circuits at once that were begun from one IPv4 address or one IPv6 network of 64 bits, by however many peers. This machine's own are exempt.
    public var maximumCircuitsPerAddress = 128
    /// The same from one IPv6 network of 48 bits.
    public var maximumCircuitsPerNetwork = 256
    /// Circuits between the same two peers at once, whoever began. More than one, because both may begin, and a lost one may still be open.
    public var maximumCircuitsPerPair = 4
    /// After which a circuit is ended; nil: never. Stated to both ends. Whole seconds.
    public var circuitDuration: Duration? = .seconds(6 * 3600)
    /// Bytes through one circuit in each direction, after which it is ended; nil: any number. Stated to both ends.
    public var circuitByteCount: UInt64? = 4 << 30

    // MARK: Rates

    /// Bytes each second through all circuits, both directions added. Shared equally among the circuits that want more. nil: no limit.
    public var bytesPerSecond: Int? = 16 << 20
    /// The same for the circuits of one peer.
    public var bytesPerSecondPerPeer: Int?
    /// The same for one direction of one circuit.
    public var bytesPerSecondPerCircuit: Int?
    /// Bytes in a day (UTC). When they are used up, circuits are ended and new ones refused until the next. nil: no limit.
    public var bytesPerDay: UInt64? = 64 << 30
    /// The same in a calendar month.
    public var bytesPerMonth: UInt64?

    // MARK: Requests

    /// Hop streams of one peer that are not answered yet. More are refused.
    public var maximumPendingRequestsPerPeer = 8
    /// The same of all peers from one IPv4 address or one IPv6 network of 64 bits. This machine's own are exempt.
    public var maximumPendingRequestsPerAddress = 64
    /// The same of all peers.
    public var maximumPendingRequests = 512
    /// For the request to arrive, and for the target's answer.
    public var requestTimeout: Duration = .seconds(10)
    /// Bytes of one direction of a circuit that may be between its two connections.
    public var spliceWindowByteCount = 256 * 1024

    /// Who is served. Refused peers get PERMISSION_DENIED.
    public var permits: @Sendable (RelayRequest) -> Bool = { _ in true }
    /// Which of this node's addresses are told to clients.
    public var addressPolicy = AddressPolicy()

    public init() {}
}

/// What a peer asks a relay for.
public enum RelayRequest: Hashable, Sendable {
    case reservation(of: PeerID, at: Multiaddr)
    case circuit(from: PeerID, to: PeerID)
}
