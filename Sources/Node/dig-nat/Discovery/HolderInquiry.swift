import DIGAnnouncement
import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGMultiformats
import DIGNatTools
import DIGNet
import DIGTransfer
import DIGTraversal

/// Asks every way of discovery who has something, again and again until somebody is found, and those that are merely near by, or know a name, themselves.
actor HolderInquiry {
    /// What is looked for.
    enum Subject: Hashable {
        case content(ContentHash)
        /// - Parameter signer: Whose word counts alone; nil: everybody's.
        case binding(BindingKey, signer: PeerID?)

        init(_ reference: ContentReference) {
            self =
                switch reference {
                case .link(let link): .content(link.contentHash)
                case .contentHash(let hash): .content(hash)
                case .sha256(let digest): .binding(.sha256(digest), signer: nil)
                case .name(let name, let signer): .binding(.name(name), signer: signer)
                }
        }

        var key: RendezvousKey {
            switch self {
            case .content(let hash): RendezvousKey(hash)
            case .binding(let key, _): RendezvousKey(key)
            }
        }
    }

    /// Peers that are asked themselves.
    private static let maximumAskedCount = 64
    /// As the manager listens where nobody says that he has said everything.
    private static let listeningTime: Duration = .seconds(2)

    private let subject: Subject
    private let network: NetworkManager
    private let console: Console
    private let sources: Set<DiscoverySource>
    private let limit: Int?
    private let start = ContinuousClock.now
    private let changes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private var asked: Set<PeerID> = []
    private var askingCount = 0
    private var hasListened = false
    private(set) var findings = HolderFindings()

    init(_ subject: Subject, network: NetworkManager, sources: Set<DiscoverySource>, limit: Int?, console: Console) {
        self.subject = subject
        self.network = network
        self.sources = sources
        self.limit = limit
        self.console = console
    }

    /// Until every way has answered and somebody was found, enough were found, or `timeout` is over.
    func run(for timeout: Duration) async {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await self.search()
                return false
            }
            group.addTask {
                // Ends early only when it is cancelled.
                try? await Task.sleep(for: Self.listeningTime)
                await self.hasListenedEnough()
                return false
            }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return true
            }
            group.addTask {
                for await _ in self.changes.stream where await self.isDone { return true }
                return false
            }
            for await isOver in group where isOver { break }
            group.cancelAll()
        }
        for source in self.listening where !self.findings.ends.contains(where: { $0.source == source }) {
            let count = self.findings.found.count { $0.times[source] != nil }
            self.ended(source, .completed(found: count), ContinuousClock.now - self.start)
        }
    }

    private var isDone: Bool {
        if let limit = self.limit {
            // Who knows a name has said so when its word for it is here.
            let isName = if case .binding = self.subject { true } else { false }
            if self.findings.found.count(where: { $0.isSettled && (!isName || $0.answer == .has) }) >= limit { return true }
        }
        let ended = Set(self.findings.ends.map(\.source))
        return !self.findings.found.isEmpty && self.askingCount == 0 && self.hasListened && self.sources.subtracting(self.listening).isSubset(of: ended)
    }

    /// Those that never say that they have said everything.
    private var listening: Set<DiscoverySource> { self.sources.intersection([.local, .gossip]) }

    private func hasListenedEnough() {
        self.hasListened = true
        self.changes.continuation.yield()
    }

    /// Goes on until it is cancelled: who has just been connected may know more.
    private func search() async {
        await withTaskGroup(of: Void.self) { group in
            for await event in self.network.discovery.manager.find(self.subject.key, options: .init(until: .cancelled, sources: self.sources)) {
                if let holder = self.received(event) { group.addTask { await self.ask(holder) } }
                self.changes.continuation.yield()
            }
            group.cancelAll()
        }
    }

    /// - Returns: Who is to be asked.
    private func received(_ event: DiscoveryEvent) -> DiscoveredHolder? {
        switch event {
        case .ended(let source, let outcome, let duration):
            self.ended(source, outcome, duration)
            return nil
        case .found(let holder):
            let elapsed = ContinuousClock.now - self.start
            let new = self.findings.found(holder, after: elapsed)
            if holder.isClaimed, !new.isEmpty { self.tell(holder.peer, by: new, after: elapsed) }
            guard self.mustBeAsked(holder), self.asked.count < Self.maximumAskedCount, self.asked.insert(holder.peer).inserted else { return nil }
            self.askingCount += 1
            return holder
        }
    }

    private func ended(_ source: DiscoverySource, _ outcome: DiscoveryOutcome, _ duration: Duration) {
        self.findings.ended(source, outcome, duration)
        self.console.event(HolderFindings.event(HolderFindings.End(source: source, outcome: outcome, duration: duration)))
    }

    private func mustBeAsked(_ holder: DiscoveredHolder) -> Bool {
        if case .binding = self.subject { return true }
        return !holder.isClaimed || self.findings.holders[holder.peer]?.isHearsay == true
    }

    private func tell(_ peer: PeerID, by sources: [DiscoverySource], after elapsed: Duration) {
        guard let holder = self.findings.holders[peer] else { return }
        self.console.note("\(peer) found by \(SourceNames.text(sources)) after \(DurationText.latency(elapsed))")
        self.console.event(HolderFindings.event(holder))
    }

    // MARK: Asking

    private func ask(_ holder: DiscoveredHolder) async {
        let peer = holder.peer
        defer {
            self.askingCount -= 1
            self.changes.continuation.yield()
        }
        do {
            let connection = try await self.connect(to: holder)
            switch self.subject {
            case .content(let hash):
                switch try await TransferQuery(to: connection).description(of: hash) {
                case .file, .folder: self.findings.answered(peer, .has)
                case .notHeld: self.findings.answered(peer, .lacks)
                case .refused(let reason): self.findings.answered(peer, .failed("\(reason)"))
                }
            case .binding(let key, let signer):
                let bindings = try await TransferQuery(to: connection).bindings(for: key, nowMilliseconds: WallClock.nowMilliseconds)
                    .filter { binding in signer.map { $0 == binding.signer.peerID } ?? true }
                self.findings.answered(peer, bindings.isEmpty ? .lacks : .has)
                self.findings.told(bindings, by: peer)
                for binding in bindings { self.console.event(HolderFindings.event(binding, tellers: [peer])) }
            }
        } catch is CancellationError {
            return
        } catch {
            self.findings.answered(peer, .failed("\(error)"))
        }
        guard let answered = self.findings.holders[peer] else { return }
        self.console.event(HolderFindings.event(answered))
        if answered.answer == .has { self.console.note("\(peer) says so itself after \(DurationText.latency(ContinuousClock.now - self.start))") }
    }

    private func connect(to holder: DiscoveredHolder) async throws -> any Connection {
        if let connection = self.network.swarm.connection(to: holder.peer) { return connection }
        let near = holder.addresses(from: .local)
        guard near.isEmpty else { return try await self.network.traversal.connect(to: holder.peer, addresses: near).connection }
        let source: DialOptions.AddressSource = self.network.configuration.discovery.allowsPrivateAddresses ? .user : .stranger
        return try await self.network.traversal.connect(to: holder.peer, addresses: holder.addresses, source: source).connection
    }
}
