public import DIGNet

/// How holes are punched.
public struct HolePunchingConfiguration: Sendable {
    /// For one punch, all attempts together (design: layer 3).
    public var budget: Duration = .seconds(25)
    /// For the dials of one attempt, from both sides. Longer than one retransmission of a SYN, which comes after a second (RFC 6298 §2).
    public var attemptTimeout: Duration = .seconds(5)
    /// The same where the NAT here gives every destination another port. Nothing but a peer that lets in every port of this node's can help then,
    /// which it does as soon as it has dialed: the time for one retransmission, and for the handshakes.
    public var hopelessAttemptTimeout: Duration = .seconds(3)
    /// DCUtR, "The Protocol" step 6: two retries. 97.6 % of what succeeds does so at once (arXiv 2510.27500), so more are of no use.
    public var maximumAttempts = 3
    /// For each answer of the peer. Through a relay it takes a round trip, through a mailbox as long as the peer sleeps between looks at it.
    public var messageTimeout: Duration = .seconds(10)
    /// How long a punch waits to learn an address of this node's own. A relay tells one a round trip after it was dialed, which may be later than
    /// the peer's first word through it. 0: not at all. A wait is part of the round trip that the peer measures, so it is shorter than a dial.
    public var ownAddressTimeout: Duration = .seconds(4)

    /// The method of each attempt; the last one serves for all that follow. Empty: none is tried, punches fail at once.
    public var methods: [PunchMethod] = [.tcpHolePunch, .tcpSimultaneousOpen]

    /// Dials the peer in the ordinary way too, from a port of its own, in case it can simply be reached (DCUtR, "The Protocol": unilateral
    /// upgrade). Whatever succeeds first is used.
    public var dialsDirectlyToo = true

    /// Addresses of a peer that are dialed, and of our own that are sent; more are left out.
    public var maximumAddresses = 8
    /// Machines that a peer's addresses may name: with more, a peer could use this node to knock on the doors of others.
    public var maximumHosts = 4
    /// Ports of one machine that are dialed: a peer has one for each of its NAT's mappings, not many.
    public var maximumPortsPerHost = 4
    /// Punches that may aim at one IPv4 address, or one IPv6 network of 64 bits, at the same time. A punch sends a SYN whenever it is refused, many a
    /// second: without a bound, a few strangers could make this node flood a third party. Behind a carrier's NAT many peers share an address.
    public var maximumPunchesPerHost = 8

    /// Punches at the same time, asked for by peers or by relayed connections that opened. More are refused.
    public var maximumPunches = 64

    /// How long a message through a backend of ``Signaling`` is good for. Clocks of peers differ: seconds would be too short.
    public var signalLifetime: Duration = .seconds(120)

    /// Which of the peer's addresses are dialed, and which of our own are sent.
    public var addressPolicy = AddressPolicy()

    /// Events kept for a slow reader; the oldest are dropped beyond.
    public var eventBufferCount = 256

    public init() {}
}
