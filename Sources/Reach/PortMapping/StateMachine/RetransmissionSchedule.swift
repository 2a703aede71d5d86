/// When an unanswered datagram is sent again.
struct RetransmissionSchedule: Hashable, Sendable {
    /// RFC 6886 §3.1: 250 ms after the first, each later wait twice the last. RFC 6887 §8.1.1 would have 3 s for PCP; the gateway is one hop away.
    static let initialInterval: Duration = .milliseconds(250)
    /// RFC 6886 §3.1 has nine transmissions, 128 s in all.
    static let maximumTransmissionCount = 9

    /// How many datagrams are sent before giving up, 1…9.
    let transmissionCount: Int
    /// Up to how much longer each wait is, so that the clients of a rebooted gateway do not speak at once (RFC 6887 §8.1.1: a tenth).
    let stretch: Double

    init(transmissionCount: Int, stretch: Double = 0) {
        self.transmissionCount = min(max(transmissionCount, 1), Self.maximumTransmissionCount)
        self.stretch = min(max(stretch, 0), 0.1)
    }

    /// How long to wait for an answer to transmission `number`, counted from 0.
    func wait(after number: Int) -> Duration {
        let doublings = min(max(number, 0), Self.maximumTransmissionCount)
        return Self.initialInterval * (1 << doublings) * (1 + self.stretch)
    }
}
