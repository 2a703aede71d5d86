/// How letters are sent and fetched.
public struct DHTMailboxConfiguration: Hashable, Sendable {
    /// Between two looks into the own mailbox while ``DHTMailbox/run()`` runs. The layer has 30 s for a whole punch.
    public var pollInterval: Duration = .seconds(3)
    /// Nodes that are asked at each look, in turn.
    public var pollFanout = 4
    /// The nodes closest to a mailbox change: they are looked up again after this.
    public var nodesInterval: Duration = .seconds(300)
    /// How long a letter waits for its recipient; 600 s at most.
    public var letterLifetime: Duration = .seconds(120)
    /// How long the key is good that others seal letters with. It is published again after half of that.
    public var keyLifetime: Duration = .seconds(7200)
    /// Keys of recipients that are remembered.
    public var maximumKnownKeys = 256
    /// Letters that wait for a slow reader; the oldest are dropped.
    public var bufferCount = 64
    /// Letters of one sender that are opened in a minute, so that one can't keep this node busy.
    public var maximumLettersPerSenderAndMinute = 30

    public init() {}
}
