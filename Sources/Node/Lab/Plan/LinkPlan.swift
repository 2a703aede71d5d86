/// What the line between a router and the core does to packets.
public struct LinkPlan: Hashable, Sendable, Codable {
    /// One way, in each direction; from 0 to 5 s. 0 takes no delay element and is far faster.
    public var delay: Duration
    /// The share of packets that is lost in each direction, from 0 to below 1. Needs a ``delay`` above 0.
    public var loss: Double
    /// Towards the core, in megabits a second; `nil` for no limit.
    public var up: Double?
    /// From the core.
    public var down: Double?

    public init(delay: Duration = .zero, loss: Double = 0, up: Double? = nil, down: Double? = nil) {
        self.delay = delay
        self.loss = loss
        self.up = up
        self.down = down
    }

    static let longestDelay: Duration = .seconds(5)
    /// Below this the shaper's smallest burst is a second of traffic.
    static let rates = 0.05...100_000.0
}
