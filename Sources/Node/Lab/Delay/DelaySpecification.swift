/// Two interfaces that the delay element joins, and what it does to the packets between them.
public struct DelaySpecification: Hashable, Sendable {
    public var near: String
    public var far: String
    /// One way, in each direction.
    public var delay: Duration
    /// The share of packets lost in each direction.
    public var loss: Double

    /// `NEAR=FAR:MICROSECONDS[:LOSS]`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3 else { return nil }
        let ends = parts[0].split(separator: "=", omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ (1...15).contains($0.utf8.count) }), ends[0] != ends[1], let microseconds = Int64(parts[1]),
            microseconds >= 0, .microseconds(microseconds) <= LinkPlan.longestDelay
        else { return nil }
        self.near = String(ends[0])
        self.far = String(ends[1])
        self.delay = .microseconds(microseconds)
        self.loss = 0
        if parts.count == 3 {
            guard let loss = Double(parts[2]), loss >= 0, loss < 1 else { return nil }
            self.loss = loss
        }
    }
}
