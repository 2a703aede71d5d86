/// Makes the states of this node's writes: each greater than the one before.
struct GunClock {
    /// Writes of one millisecond are told apart by 1/999 each, as in gun.js.
    private static let step = 1.0 / 999

    private var last = -Double.infinity
    private var count = 0.0

    /// - Parameter now: Milliseconds since 1970.
    mutating func next(now: Double) -> Double {
        let now = now.rounded(.down)
        if self.last < now {
            self.last = now
            self.count = 0
            return now
        }
        self.count += 1
        return self.last + self.count * Self.step
    }
}
