import DIGIdentity

/// Shares the relay's rates among the directions of circuits: equally among those that want more, within the rate of each peer and each
/// direction (max-min fairness by progressive filling, Bertsekas and Gallager, Data Networks §6.5.2).
struct RateAllocator {
    /// One direction of one circuit.
    struct Flow {
        var source: PeerID
        var target: PeerID
        /// Bytes it may still carry; negative after it carried more than it was given, which its next shares make up for.
        var balance: Int
        /// It had something to carry and nothing left to carry it with.
        var isWaiting: Bool
    }

    /// A flow that is idle keeps this many bytes, to begin with at once when something comes.
    static let idleByteCount = 64 * 1024
    /// What a rate gives in this time may be kept for later, or ``idleByteCount`` if that is more.
    static let burst: Duration = .milliseconds(250)

    private let total: Int?
    private let perPeer: Int?
    private let perFlow: Int?
    /// Bytes left from earlier allocations.
    private var totalLeft = 0.0
    private var peerLeft: [PeerID: Double] = [:]

    /// Rates in bytes each second; nil: no limit.
    init(total: Int?, perPeer: Int?, perFlow: Int?) {
        self.total = total.map { max(1, $0) }
        self.perPeer = perPeer.map { max(1, $0) }
        self.perFlow = perFlow.map { max(1, $0) }
    }

    /// Without a limit nothing needs to be allocated.
    var isLimited: Bool { self.total != nil || self.perPeer != nil || self.perFlow != nil }

    /// Bytes to add to the balance of each of `flows`, after `elapsed` since the last call.
    mutating func allocate(elapsed: Duration, among flows: [Flow]) -> [Int] {
        let seconds = max(0, elapsed / .seconds(1))
        var totalBudget = self.total.map { Self.budget(rate: $0, left: self.totalLeft, seconds: seconds) } ?? .infinity
        var peerBudgets: [PeerID: Double] = [:]
        if let perPeer = self.perPeer {
            for peer in flows.lazy.flatMap({ [$0.source, $0.target] }) where peerBudgets[peer] == nil {
                peerBudgets[peer] = Self.budget(rate: perPeer, left: self.peerLeft[peer] ?? 0, seconds: seconds)
            }
        }
        var wanted = flows.map { self.wanted(by: $0, seconds: seconds) }
        var given = [Double](repeating: 0, count: flows.count)
        var active = flows.indices.filter { wanted[$0] >= 1 }
        // Each round raises the shares of all alike until one has what it wants or a budget is used up, so there are no more rounds than flows.
        while !active.isEmpty, totalBudget >= 1 {
            var step = totalBudget / Double(active.count)
            for index in active { step = min(step, wanted[index]) }
            if self.perPeer != nil {
                var users: [PeerID: Int] = [:]
                for index in active {
                    users[flows[index].source, default: 0] += 1
                    users[flows[index].target, default: 0] += 1
                }
                for (peer, count) in users { step = min(step, (peerBudgets[peer] ?? 0) / Double(count)) }
            }
            guard step.isFinite else { break }
            for index in active {
                given[index] += step
                wanted[index] -= step
                totalBudget -= step
                guard self.perPeer != nil else { continue }
                peerBudgets[flows[index].source, default: 0] -= step
                peerBudgets[flows[index].target, default: 0] -= step
            }
            let before = active.count
            active.removeAll { index in
                guard wanted[index] >= 1 else { return true }
                guard self.perPeer != nil else { return false }
                return (peerBudgets[flows[index].source] ?? 0) < 1 || (peerBudgets[flows[index].target] ?? 0) < 1
            }
            // What is left is less than a byte for each.
            if active.count == before { break }
        }
        let whole = given.map { Int($0) }
        // Fractions are not lost.
        self.totalLeft = self.total == nil ? 0 : max(0, totalBudget) + zip(given, whole).reduce(0) { $0 + $1.0 - Double($1.1) }
        self.peerLeft = peerBudgets.mapValues { max(0, $0) }
        return whole
    }

    private func wanted(by flow: Flow, seconds: Double) -> Double {
        let wish = flow.isWaiting ? Double.infinity : Double(max(0, Self.idleByteCount - flow.balance))
        guard let perFlow = self.perFlow else { return wish }
        let room = Self.capacity(rate: perFlow) - Double(flow.balance)
        return max(0, min(wish, room, Double(perFlow) * seconds))
    }

    private static func budget(rate: Int, left: Double, seconds: Double) -> Double {
        min(left + Double(rate) * seconds, self.capacity(rate: rate))
    }

    private static func capacity(rate: Int) -> Double {
        max(Double(rate) * (self.burst / .seconds(1)), Double(self.idleByteCount))
    }
}
