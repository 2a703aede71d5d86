/// Finds the nodes closest to a key by asking ever closer ones (kad-dht r2, "Peer routing"; S/Kademlia §4.4 for disjoint paths).
///
/// A value: call ``next(now:)`` until it returns nil, ask the nodes it names, tell what comes of it, and call again; call
/// ``deadlineReached(now:)`` when ``deadline`` passes. Late, repeated and unrelated answers do no harm.
struct Lookup: Sendable {
    typealias Instant = ContinuousClock.Instant

    private enum Answer: Sendable {
        case waiting(since: Instant, isSlow: Bool)
        case answered
        case failed
    }

    private struct Question: Sendable {
        var path: Int
        var answer: Answer
        /// Nodes between the ones known at the beginning and this one.
        var hops: Int
    }

    private struct Candidate: Sendable {
        var distance: KademliaDistance
        var peer: KademliaPeer
        var hops: Int
    }

    private struct Path: Sendable {
        /// By distance.
        var candidates: [Candidate] = []
        var waiting = 0
        var isFinished = false

        /// Where `distance` is, or belongs.
        func position(of distance: KademliaDistance) -> (index: Int, isThere: Bool) {
            var (low, high) = (0, self.candidates.count)
            while low < high {
                let middle = (low + high) / 2
                if self.candidates[middle].distance < distance { low = middle + 1 } else { high = middle }
            }
            return (low, low < self.candidates.count && self.candidates[low].distance == distance)
        }
    }

    /// What a lookup has cost.
    struct Statistics: Hashable, Sendable {
        var questions = 0
        var failures = 0
        /// Nodes not asked because too many of their network are.
        var refusals = 0
    }

    let target: KademliaKey
    private let localKey: KademliaKey?
    private let configuration: LookupConfiguration
    /// Nodes within count beside the β closest.
    private let radius: KademliaDistance?
    private let groups: @Sendable (KademliaPeer) -> Set<NetworkGroup>
    private let end: Instant
    private var paths: [Path]
    /// Who was asked, by whichever path.
    private var questions: [KademliaKey: Question] = [:]
    private var networks: [NetworkGroup: Int] = [:]
    private var turn = 0
    private(set) var isFinished = false
    private(set) var statistics = Statistics()

    /// - Parameters:
    ///   - localKey: This node's, which is never asked.
    ///   - seeds: Known nodes, the closest first; they are dealt out to the paths.
    ///   - radius: How far away the closest nodes should be, see ``ExpectedRadius``; nil: only their number counts.
    ///   - groups: The networks that a node's addresses are in, where they count.
    init(
        target: KademliaKey, localKey: KademliaKey?, seeds: [KademliaPeer], radius: KademliaDistance? = nil, configuration: LookupConfiguration,
        now: Instant, groups: @escaping @Sendable (KademliaPeer) -> Set<NetworkGroup> = { _ in [] }
    ) {
        self.target = target
        self.localKey = localKey
        self.configuration = configuration
        self.radius = radius
        self.groups = groups
        self.end = now + configuration.timeout
        self.paths = Array(repeating: Path(), count: max(1, configuration.disjointPaths))
        for (index, seed) in seeds.enumerated() { self.insert(seed, hops: 0, into: index % self.paths.count) }
        self.settle()
    }

    // MARK: Asking

    /// A node to ask now; nil if none is for the moment.
    mutating func next(now: Instant) -> KademliaPeer? {
        guard !self.isFinished else { return nil }
        guard now < self.end else {
            self.isFinished = true
            return nil
        }
        let share = max(1, self.configuration.parallelism / self.paths.count)
        for _ in self.paths.indices {
            let path = self.turn % self.paths.count
            self.turn += 1
            guard !self.paths[path].isFinished, self.paths[path].waiting < share else { continue }
            if let candidate = self.candidate(of: path) {
                self.questions[candidate.peer.key] = Question(path: path, answer: .waiting(since: now, isSlow: false), hops: candidate.hops)
                self.paths[path].waiting += 1
                self.statistics.questions += 1
                return candidate.peer
            }
        }
        return nil
    }

    /// The closest node of a path that nobody has asked, among those that count.
    private func candidate(of path: Int) -> Candidate? {
        var counted = 0
        for candidate in self.paths[path].candidates {
            guard !self.isBeyond(candidate.distance, after: counted) else { return nil }
            switch self.questions[candidate.peer.key]?.answer {
            case nil: return candidate
            case .failed, .waiting(_, isSlow: true): continue
            case .answered, .waiting: counted += 1
            }
        }
        return nil
    }

    // MARK: What comes of it

    /// A node that was asked has answered, and named others.
    mutating func answered(_ key: KademliaKey, closer: [KademliaPeer], now: Instant) {
        guard let question = self.questions[key] else { return }
        switch question.answer {
        case .answered: return
        case .failed: break
        case .waiting(_, let isSlow): if !isSlow { self.paths[question.path].waiting -= 1 }
        }
        self.questions[key]?.answer = .answered
        if !self.paths[question.path].isFinished {
            for peer in closer.prefix(self.configuration.maximumPeersPerAnswer) { self.insert(peer, hops: question.hops + 1, into: question.path) }
        }
        self.settle()
    }

    mutating func failed(_ key: KademliaKey, now: Instant) {
        guard let question = self.questions[key], case .waiting(_, let isSlow) = question.answer else { return }
        if !isSlow { self.paths[question.path].waiting -= 1 }
        self.questions[key]?.answer = .failed
        self.statistics.failures += 1
        self.settle()
    }

    /// When to call ``deadlineReached(now:)``; nil once finished.
    var deadline: Instant? {
        guard !self.isFinished else { return nil }
        var deadline = self.end
        for question in self.questions.values {
            if case .waiting(let since, isSlow: false) = question.answer { deadline = min(deadline, since + self.configuration.slowAfter) }
        }
        return deadline
    }

    mutating func deadlineReached(now: Instant) {
        guard !self.isFinished else { return }
        for (key, question) in self.questions {
            guard case .waiting(let since, isSlow: false) = question.answer, now - since >= self.configuration.slowAfter else { continue }
            self.questions[key]?.answer = .waiting(since: since, isSlow: true)
            self.paths[question.path].waiting -= 1
        }
        if now >= self.end { self.isFinished = true }
        self.settle()
    }

    /// Enough is known.
    mutating func stop() { self.isFinished = true }

    // MARK: What is known

    /// The nodes closest to the target that have answered, on whichever path.
    func closest(_ count: Int) -> [KademliaPeer] {
        var found: [KademliaKey: Candidate] = [:]
        for path in self.paths {
            for candidate in path.candidates where found[candidate.peer.key] == nil {
                if case .answered = self.questions[candidate.peer.key]?.answer { found[candidate.peer.key] = candidate }
            }
        }
        return found.values.sorted { $0.distance < $1.distance }.prefix(count).map(\.peer)
    }

    /// The closest that have answered, and all others that are within the radius: those that should keep a record.
    func keepers(_ count: Int) -> [KademliaPeer] {
        let answered = self.closest(max(count, self.configuration.maximumRegionCount))
        guard let radius = self.radius else { return Array(answered.prefix(count)) }
        let region = answered.prefix { $0.key.distance(to: self.target) <= radius }
        return region.count > count ? Array(region) : Array(answered.prefix(count))
    }

    /// How many nodes had to be asked one after the other to get to this one.
    func hops(to key: KademliaKey) -> Int? { self.questions[key]?.hops }

    var answeredCount: Int { self.questions.values.count { if case .answered = $0.answer { true } else { false } } }

    // MARK: Within

    private mutating func insert(_ peer: KademliaPeer, hops: Int, into index: Int) {
        guard peer.key != self.localKey else { return }
        let distance = peer.key.distance(to: self.target)
        let (position, isThere) = self.paths[index].position(of: distance)
        if isThere {
            // Whoever named it first may have lied about its addresses.
            guard self.questions[peer.key] == nil else { return }
            var known = self.paths[index].candidates[position].peer
            for address in peer.addresses where known.addresses.count < KademliaLimits.maximumAddresses && !known.addresses.contains(address) {
                known.addresses.append(address)
            }
            self.paths[index].candidates[position].peer = known
            return
        }
        if self.paths[index].candidates.count >= self.configuration.maximumCandidates {
            guard position < self.paths[index].candidates.count else { return }
        }
        if self.questions[peer.key] == nil {
            let groups = self.groups(peer)
            guard groups.allSatisfy({ self.networks[$0, default: 0] < self.configuration.maximumPerNetwork }) else {
                self.statistics.refusals += 1
                return
            }
            for group in groups { self.networks[group, default: 0] += 1 }
        }
        self.paths[index].candidates.insert(Candidate(distance: distance, peer: peer, hops: hops), at: position)
        if self.paths[index].candidates.count > self.configuration.maximumCandidates {
            let farthest = self.paths[index].candidates.removeLast()
            if self.questions[farthest.peer.key] == nil {
                for group in self.groups(farthest.peer) { self.networks[group, default: 1] -= 1 }
            }
        }
    }

    /// Ends the paths on which the closest nodes have answered, or nobody is left to ask.
    private mutating func settle() {
        for index in self.paths.indices where !self.paths[index].isFinished {
            self.paths[index].isFinished = self.isExhausted(index)
        }
        if self.paths.allSatisfy(\.isFinished) { self.isFinished = true }
    }

    /// Whether a node so far away matters no more when so many that are closer have answered.
    private func isBeyond(_ distance: KademliaDistance, after counted: Int) -> Bool {
        guard counted >= self.configuration.resiliency else { return false }
        guard let radius = self.radius else { return true }
        return distance > radius || counted >= self.configuration.maximumRegionCount
    }

    private func isExhausted(_ index: Int) -> Bool {
        var counted = 0
        for candidate in self.paths[index].candidates {
            guard !self.isBeyond(candidate.distance, after: counted) else { return true }
            switch self.questions[candidate.peer.key]?.answer {
            case nil, .waiting(_, isSlow: false): return false
            case .failed, .waiting(_, isSlow: true): continue
            case .answered: counted += 1
            }
        }
        // Those that are slow may still name others; they are waited for if nobody else is left.
        return counted > 0 || !self.questions.values.contains { question in
            if question.path == index, case .waiting = question.answer { true } else { false }
        }
    }
}
