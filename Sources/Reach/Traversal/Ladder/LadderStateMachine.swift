import DIGMultiformats

/// Decides which method is tried when, for one peer. Opens nothing.
///
/// The owner drains ``poll(now:)`` after each input and when ``deadline`` has passed. Early and repeated polls are harmless. Punching is a
/// rung in sequential mode, and where nothing may be relayed: in a race it begins by itself as soon as a relayed connection is there. If none comes
/// about, those punches have their turn that can be agreed on in another way. Of two punches the second waits: they would take each other's ports.
struct LadderStateMachine {
    typealias Instant = ContinuousClock.Instant

    /// A method and the addresses that it can use.
    struct Rung: Hashable {
        var method: TraversalMethod
        /// Named by whoever asked for the peer.
        var addresses: [Multiaddr]
        /// What the peer says about itself: a stranger's word.
        var heard: [Multiaddr] = []
        /// For punches: the backends through which the two ends can agree without a connection.
        var signaling: [String] = []

        var allAddresses: [Multiaddr] { self.addresses + self.heard }
    }

    enum Action: Hashable {
        case start(Rung)
        /// Its time is up, or another method won. The cause is nil in the second case.
        case cancel(TraversalMethod, cause: String?)
        /// A connection is there. Comes once more if a direct one follows a relayed one.
        case connected(TraversalMethod)
        /// Nothing is left to try and nothing worked.
        case fail
    }

    private let configuration: LadderConfiguration
    /// Not started, in order.
    private var waiting: [Rung]
    /// Punches for the case that there will be no relayed connection.
    private var reserve: [Rung] = []
    private var running: [TraversalMethod: Instant] = [:]
    private var actions: [Action] = []
    private var nextStartAt: Instant
    private var isConnected = false
    private var hasFailed = false
    private var isStopped = false

    /// - Parameter rungs: Each method once; those without addresses are left out by the owner.
    init(rungs: [Rung], configuration: LadderConfiguration, now: Instant) {
        self.configuration = configuration
        let beginsByItself = configuration.mode == .race && rungs.contains { $0.method.isRelayed }
        self.waiting = beginsByItself ? rungs.filter { !$0.method.isPunch } : rungs
        if beginsByItself { self.reserve = rungs.filter { $0.method.isPunch && !$0.signaling.isEmpty } }
        self.nextStartAt = now
    }

    /// Whether nothing more will happen.
    var isFinished: Bool { self.actions.isEmpty && (self.isStopped || (self.waiting.isEmpty && self.reserve.isEmpty && self.running.isEmpty && (self.isConnected || self.hasFailed))) }

    /// When to poll next; nil if only an input can change anything.
    var deadline: Instant? {
        guard !self.isStopped else { return nil }
        let ends = self.running.values.min()
        guard self.mayStartMore else { return ends }
        return ends.map { min($0, self.nextStartAt) } ?? self.nextStartAt
    }

    private var mayStartMore: Bool {
        guard self.nextIndex != nil, !self.isConnected || self.configuration.mode == .race else { return false }
        return self.configuration.mode == .race || self.running.isEmpty
    }

    private var nextIndex: Int? {
        let isPunching = self.running.keys.contains(where: \.isPunch)
        return self.waiting.firstIndex { !isPunching || !$0.method.isPunch }
    }

    /// The relayed connection that punches were to begin by themselves on will not come about.
    private mutating func relayedPathsEnded() {
        guard !self.reserve.isEmpty, !self.isConnected, !self.running.keys.contains(where: \.isRelayed),
            !self.waiting.contains(where: \.method.isRelayed)
        else { return }
        self.waiting += self.reserve
        self.reserve = []
    }

    // MARK: Inputs

    mutating func succeeded(_ method: TraversalMethod, now: Instant) {
        guard self.running.removeValue(forKey: method) != nil else { return }
        self.isConnected = true
        self.actions.append(.connected(method))
        if method.isRelayed, self.configuration.mode == .race {
            // Direct methods go on; another relayed path is of no use.
            self.waiting.removeAll { $0.method.isRelayed }
            self.reserve = []
        } else {
            self.stop()
        }
    }

    mutating func failed(_ method: TraversalMethod, now: Instant) {
        guard self.running.removeValue(forKey: method) != nil else { return }
        self.nextStartAt = now
    }

    /// A direct connection came about by other means: the peer dialed, or a punch went through.
    mutating func stop() {
        guard !self.isStopped else { return }
        self.isStopped = true
        self.waiting = []
        self.reserve = []
        for method in self.running.keys.sorted(by: { $0.layer < $1.layer }) { self.actions.append(.cancel(method, cause: nil)) }
        self.running = [:]
    }

    // MARK: Output

    mutating func poll(now: Instant) -> Action? {
        if !self.actions.isEmpty { return self.actions.removeFirst() }
        guard !self.isStopped else { return nil }
        if let (method, _) = self.running.filter({ $0.value <= now }).min(by: { $0.value < $1.value }) {
            self.running[method] = nil
            self.nextStartAt = now
            return .cancel(method, cause: "no connection within \(self.configuration.budget(of: method))")
        }
        self.relayedPathsEnded()
        if self.mayStartMore, now >= self.nextStartAt || self.running.isEmpty, let index = self.nextIndex {
            let rung = self.waiting.remove(at: index)
            self.running[rung.method] = now + self.configuration.budget(of: rung.method)
            // Local and direct addresses go together: neither costs anybody anything.
            self.nextStartAt = rung.method == .local ? now : now + self.configuration.stagger
            return .start(rung)
        }
        if self.waiting.isEmpty, self.running.isEmpty, !self.isConnected, !self.hasFailed {
            self.hasFailed = true
            return .fail
        }
        return nil
    }
}
