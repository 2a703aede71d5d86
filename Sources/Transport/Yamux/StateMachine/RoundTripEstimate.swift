import NIOCore

/// Pings: at most one is under way; its answer is a measurement and a sign of life.
struct RoundTripEstimate {
    private(set) var smoothed: TimeAmount?
    private(set) var inFlight: (value: UInt32, sentAt: NIODeadline)?
    private(set) var lastSentAt: NIODeadline?
    private var nextValue: UInt32 = 0

    /// The value to send.
    mutating func begin(now: NIODeadline) -> UInt32 {
        let value = self.nextValue
        self.nextValue &+= 1  // an opaque number: it may wrap
        self.inFlight = (value, now)
        self.lastSentAt = now
        return value
    }

    /// False if nobody asked.
    mutating func answered(_ value: UInt32, now: NIODeadline) -> Bool {
        guard let inFlight = self.inFlight, inFlight.value == value else { return false }
        self.inFlight = nil
        let sample = now - inFlight.sentAt
        self.smoothed = self.smoothed.map { .nanoseconds($0.nanoseconds / 2 + sample.nanoseconds / 2) } ?? sample
        return true
    }
}
