/// The limits and times of a ``RelayClient``.
public struct RelayClientConfiguration: Sendable {
    /// Relays at which a reservation is held. One can fail without a gap if there are two; more cost connections, and addresses in every record.
    public var relayCount = 2
    /// Relays that the user names.
    public var relays: [RelayCandidate] = []
    /// Candidates remembered. One more replaces one that refused, or is not taken.
    public var maximumCandidates = 64
    /// A reservation is refreshed this long before its end, a short one after half of it.
    public var refreshMargin: Duration = .seconds(300)
    /// The wait after the first failure of a relay; doubles with each that follows.
    public var initialBackoff: Duration = .seconds(5)
    public var maximumBackoff: Duration = .seconds(1800)
    /// The same for one that kept a reservation until its connection was lost: it may be up again soon. Give or take half of it at random, because
    /// everybody that it served comes back at the same time.
    public var reconnectBackoff: Duration = .seconds(1)
    /// A reservation that was lost sooner than this is no reason to hurry.
    public var reliableAfter: Duration = .seconds(30)
    /// The wait after a relay granted what is not true.
    public var lieBackoff: Duration = .seconds(24 * 3600)

    public init() {}
}
