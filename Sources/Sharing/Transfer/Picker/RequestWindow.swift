/// How many bytes are kept asked for from one peer.
///
/// Like BBR's start-up (draft-cardwell-iccrg-bbr-congestion-control §4.3): the window doubles each round (the time in which one window
/// arrives) as long as the rate grows by a quarter in three rounds. Then it settles at twice the product of the best rate of
/// the last rounds and the shortest round trip, and tries a quarter more every eighth round so that a link that became faster is
/// noticed. A slower link shrinks it, because old rounds are forgotten.
struct RequestWindow: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The whitepaper's default: five chunks.
    static let initialChunkCount = 5
    static let maximumByteCount = 16 * 1024 * 1024
    /// Never less than what arrives in this time: a host reads ahead in large pieces, so its answers come in bursts.
    static let minimumSpan: Duration = .milliseconds(50)
    /// Rounds without growth that end the start.
    static let plateauRoundCount = 3
    /// Rounds whose best rate counts.
    static let rateMemory = 10
    static let probeInterval = 8

    private let minimum: Int
    /// Bytes that may be asked for and not yet here.
    private(set) var byteCount: Int
    private(set) var shortestRoundTrip: Duration?
    private var isStarting = true
    private var roundStart: Instant
    private var roundByteCount = 0
    private var wasFull = false
    private var rates: [Double] = []
    private var bestRate = 0.0
    private var plateau = 0
    private var round = 0

    init(chunkByteCount: Int, now: Instant) {
        self.minimum = min(Self.maximumByteCount, max(1, chunkByteCount) * Self.initialChunkCount)
        self.byteCount = self.minimum
        self.roundStart = now
    }

    /// The best rate of the last rounds, in bytes per second; zero until the first round is over.
    var rate: Double { self.rates.max() ?? 0 }

    /// The peer had as much asked of it as the window allows. Rounds that were not full say nothing about the link's limit.
    mutating func filled() { self.wasFull = true }

    /// Nothing was asked for until `now`: the time before says nothing about the rate.
    mutating func startedAfterIdle(now: Instant) {
        self.roundStart = now
        self.roundByteCount = 0
    }

    /// A whole answer came.
    ///
    /// - Parameter roundTrip: From the request until the first of its chunks, if nothing else was outstanding before it.
    mutating func received(_ byteCount: Int, roundTrip: Duration?, now: Instant) {
        if let roundTrip, roundTrip > .zero {
            self.shortestRoundTrip = self.shortestRoundTrip.map { min($0, roundTrip) } ?? roundTrip
        }
        self.roundByteCount += byteCount
        guard self.roundByteCount >= self.byteCount, now > self.roundStart else { return }
        let rate = Double(self.roundByteCount) / max((now - self.roundStart).seconds, 0.0001)
        self.rates.append(rate)
        if self.rates.count > Self.rateMemory { self.rates.removeFirst() }
        self.round += 1
        self.roundStart = now
        self.roundByteCount = 0
        let wasFull = self.wasFull
        self.wasFull = false
        self.endRound(rate: rate, wasFull: wasFull)
    }

    /// The peer delivered nothing for long: it starts again from the smallest window.
    mutating func stalled(now: Instant) {
        self.byteCount = self.minimum
        self.rates.removeAll()
        self.bestRate = 0
        self.plateau = 0
        self.isStarting = true
        self.startedAfterIdle(now: now)
    }

    private mutating func endRound(rate: Double, wasFull: Bool) {
        if self.isStarting {
            guard wasFull else { return }
            if rate >= self.bestRate * 1.25 {
                self.bestRate = rate
                self.plateau = 0
            } else {
                self.plateau += 1
            }
            if self.plateau < Self.plateauRoundCount, self.byteCount < Self.maximumByteCount {
                self.byteCount = self.clamped(Double(self.byteCount) * 2)
                return
            }
            self.isStarting = false
        }
        let span = max((self.shortestRoundTrip ?? .zero) * 2, Self.minimumSpan)
        let settled = self.rate * span.seconds + Double(self.minimum)
        let probe = self.round % Self.probeInterval == 0 ? 1.25 : 1
        self.byteCount = self.clamped(settled * probe)
    }

    private func clamped(_ value: Double) -> Int {
        value >= Double(Self.maximumByteCount) ? Self.maximumByteCount : max(self.minimum, Int(value))
    }
}
