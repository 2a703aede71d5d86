import DIGAnnouncement
import DIGTestSupport
import Testing

@testable import DIGDiscovery

@Suite("Peer discovery manager", .timeLimit(.minutes(2)))
struct PeerDiscoveryManagerTests {
    private func manager(_ mechanisms: [FakeMechanism], _ configure: (inout DiscoveryConfiguration) -> Void = { _ in }) throws -> PeerDiscoveryManager {
        var configuration = DiscoveryConfiguration()
        configure(&configuration)
        return try PeerDiscoveryManager(mechanisms, localPeer: Fixture.ourselves, configuration: configuration, logger: Fixture.logger)
    }

    /// Runs `body` while the manager runs.
    private func running(_ manager: PeerDiscoveryManager, _ body: @Sendable () async throws -> Void) async throws {
        let run = Task { try await manager.run() }
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        run.cancel()
        try await run.value
        try result.get()
    }

    // MARK: Finding

    @Test("the slowest mechanism does not delay the first result")
    func first() async throws {
        let (slow, fast) = (FakeMechanism(.dht), FakeMechanism.answering(.gun, [FoundHolder(Fixture.peer(1), addresses: [Fixture.address(1)])]))
        let manager = try self.manager([slow, fast])
        var search = manager.find(Fixture.key(1)).makeAsyncIterator()
        guard case .found(let holder)? = await search.next() else { return #expect(Bool(false), "nothing is found") }
        #expect(holder.peer == Fixture.peer(1) && holder.sources == [.gun])
        guard case .ended(.gun, .completed(found: 1), _)? = await search.next() else { return #expect(Bool(false), "GUN has ended") }
        // The slow one says something, too.
        slow.say(FoundHolder(Fixture.peer(1), addresses: [Fixture.address(2)]))
        guard case .found(let more)? = await search.next() else { return #expect(Bool(false), "nothing more") }
        #expect(more.addresses == [Fixture.address(1), Fixture.address(2)] && more.sources == [.gun, .dht])
        slow.end()
        guard case .ended(.dht, .completed(found: 1), _)? = await search.next() else { return #expect(Bool(false), "the DHT has ended") }
        #expect(await search.next() == nil)
        #expect(await search.next() == nil)
        #expect(manager.statistics.searchCount == 0)
        let gun = try #require(manager.statistics.mechanisms[.gun])
        #expect(gun.searches == 1 && gun.fruitfulSearches == 1 && gun.holdersFound == 1 && gun.lastTimeToFirst != nil && gun.meanTimeToFirst != nil)
    }

    @Test("one fails, one hangs, one floods, and the others find what there is")
    func faults() async throws {
        let good = FakeMechanism.answering(.dht, [FoundHolder(Fixture.peer(1), addresses: [])])
        let hanging = FakeMechanism(.pex)
        let manager = try self.manager([.failing(.publicDHT), hanging, .flooding(.gossip), good]) {
            $0.searchTimeout = .seconds(2)
            $0.maximumResultsPerSearch = 50
            $0.resultsPerSecond = 0
        }
        var ends: [DiscoverySource: DiscoveryOutcome] = [:]
        var isFound = false
        for await event in manager.find(Fixture.key(1)) {
            switch event {
            case .found(let holder): isFound = isFound || holder.peer == Fixture.peer(1)
            case .ended(let source, let outcome, _): ends[source] = outcome
            }
        }
        #expect(isFound)
        #expect(ends == [.publicDHT: .failed("out of order"), .pex: .timedOut, .gossip: .flooded, .dht: .completed(found: 1)])
        // Nobody is listened to any more.
        try await eventually { hanging.endedSearchCount == 1 }
        let statistics = manager.statistics.mechanisms
        #expect(statistics[.publicDHT]?.failedSearches == 1 && statistics[.pex]?.timedOutSearches == 1 && statistics[.gossip]?.floodedSearches == 1)
    }

    @Test("any mechanism alone is enough", arguments: DiscoverySource.allCases)
    func alone(source: DiscoverySource) async throws {
        let isListening = source == .local || source == .gossip
        let mechanism = FakeMechanism(source, isListening: isListening) { continuation in
            continuation.yield(FoundHolder(Fixture.peer(1), addresses: [Fixture.address(1)]))
            if !isListening { continuation.finish() }
        }
        let manager = try self.manager([mechanism]) { $0.listeningTime = .milliseconds(50) }
        #expect(manager.sources == [source])
        var holders: [DiscoveredHolder] = []
        for await case .found(let holder) in manager.find(Fixture.key(1)) { holders.append(holder) }
        #expect(holders.count == 1 && holders.first?.sources == [source])
        let report = try await manager.announce(AnnouncedContent(Fixture.key(1)))
        #expect(report.takenBy == [source])
    }

    @Test("a reader that stops ends the search: by leaving the loop, by being cancelled, by letting go")
    func stop() async throws {
        let mechanism = FakeMechanism(.dht) { $0.yield(FoundHolder(Fixture.peer(1), addresses: [])) }
        let manager = try self.manager([mechanism])
        for await case .found in manager.find(Fixture.key(1)) { break }
        try await eventually { mechanism.endedSearchCount == 1 && manager.statistics.searchCount == 0 }
        let reader = Task {
            var count = 0
            for await _ in manager.find(Fixture.key(1), options: .init(until: .cancelled)) { count += 1 }
            return count
        }
        try await eventually { mechanism.searchCount == 2 }
        reader.cancel()
        _ = await reader.value
        try await eventually { mechanism.endedSearchCount == 2 && manager.statistics.searchCount == 0 }
        _ = manager.find(Fixture.key(1))
        try await eventually { mechanism.endedSearchCount == 3 && manager.statistics.searchCount == 0 }
        let search = manager.find(Fixture.key(1))
        search.cancel()
        var count = 0
        for await _ in search { count += 1 }
        #expect(count == 0 && manager.statistics.searchCount == 0)
    }

    @Test("only the mechanisms that the reader wants are asked")
    func chosen() async throws {
        let (one, other) = (FakeMechanism.answering(.dht, []), FakeMechanism.answering(.gun, []))
        let manager = try self.manager([one, other])
        for await _ in manager.find(Fixture.key(1), options: .init(sources: [.gun])) {}
        #expect(one.searchCount == 0 && other.searchCount == 1)
    }

    @Test("too many searches at a time are told as failures")
    func tooMany() async throws {
        let mechanism = FakeMechanism(.dht)
        let manager = try self.manager([mechanism]) { $0.maximumSearches = 2 }
        let searches = [manager.find(Fixture.key(1)), manager.find(Fixture.key(2))]
        var events: [DiscoveryEvent] = []
        for await event in manager.find(Fixture.key(3), options: .init(until: .cancelled)) { events.append(event) }
        #expect(events.count == 1)
        guard case .ended(.dht, .failed, _)? = events.first else { return #expect(Bool(false), "no failure") }
        try await eventually { mechanism.searchCount == 2 }
        for search in searches { search.cancel() }
    }

    @Test("two mechanisms of one source are refused")
    func twice() throws {
        #expect(throws: DiscoveryError(.invalidConfiguration, "")) { try self.manager([FakeMechanism(.dht), FakeMechanism(.dht)]) }
    }

    // MARK: Announcing

    @Test("an announcement is reported by mechanism, and one that hangs, and ignores that it is cancelled, holds up nobody")
    func announce() async throws {
        let mechanisms = [FakeMechanism(.dht), FakeMechanism(.pex), FakeMechanism(.gun), FakeMechanism(.local)]
        mechanisms[1].set(.taken(0))
        mechanisms[2].set(.failing)
        mechanisms[3].set(.stuck)
        let manager = try self.manager(mechanisms) { $0.announcementTimeout = .milliseconds(100) }
        let content = AnnouncedContent(Fixture.key(1), port: 4001, contentID: "my film")
        let report = try await manager.announce(content)
        #expect(report.entries.map(\.outcome) == [.taken(by: 3), .taken(by: 0), .failed("out of order"), .timedOut])
        #expect(report.takenBy == [.dht] && mechanisms.allSatisfy { $0.announced == [content] })
        #expect(manager.announcements.count == 1 && manager.announcement(of: content.key)?.takenBy == [.dht])
        #expect(manager.statistics.mechanisms[.local]?.unreturnedOperations == 1 && manager.statistics.announcedCount == 1)
        mechanisms[3].release()
        try await eventually { manager.statistics.mechanisms[.local]?.unreturnedOperations == 0 }
    }

    @Test("what nobody took is tried again until somebody is there, and what was taken is announced again")
    func again() async throws {
        let (pex, gun) = (FakeMechanism(.pex), FakeMechanism(.gun))
        pex.set(.taken(0))
        let manager = try self.manager([pex, gun]) {
            $0.retryInterval = .milliseconds(20)
            $0.maximumRetryInterval = .milliseconds(20)
            $0.reannounceInterval = .milliseconds(50)
        }
        try await self.running(manager) {
            try await manager.announce(AnnouncedContent(Fixture.key(1)))
            try await eventually { pex.announced.count > 5 && gun.announced.count > 3 }
            #expect(manager.announcement(of: Fixture.key(1))?.takenBy == [.gun])
            pex.set(.taken(1))
            try await eventually { manager.announcement(of: Fixture.key(1))?.takenBy == [.pex, .gun] }
        }
        await #expect(throws: DiscoveryError(.closed, "")) { try await manager.announce(AnnouncedContent(Fixture.key(2))) }
        var outcomes: [DiscoveryOutcome] = []
        for await case .ended(_, let outcome, _) in manager.find(Fixture.key(1)) { outcomes.append(outcome) }
        #expect(outcomes == [.failed("discovery has ended"), .failed("discovery has ended")])
        await #expect(throws: DiscoveryError(.alreadyRunning, "")) { try await manager.run() }
    }

    @Test("withdrawn content is not announced again")
    func withdraw() async throws {
        let mechanisms = [FakeMechanism(.pex), FakeMechanism(.gun, keepsAnnouncing: true)]
        let manager = try self.manager(mechanisms) { $0.reannounceInterval = .milliseconds(20) }
        try await self.running(manager) {
            try await manager.announce(AnnouncedContent(Fixture.key(1)))
            try await manager.announce(AnnouncedContent(Fixture.key(2)))
            try await eventually { mechanisms[0].announced.count > 4 }
            let report = try await manager.withdraw(Fixture.key(1))
            #expect(report.entries.map(\.outcome) == [.withdrawn, .withdrawn])
            #expect(mechanisms.allSatisfy { $0.withdrawn == [Fixture.key(1)] })
            let counts = mechanisms.map { $0.announced.count { $0.key == Fixture.key(1) } }
            let others = mechanisms[0].announced.count
            // The other content goes on.
            try await eventually { mechanisms[0].announced.count > others + 4 }
            #expect(mechanisms.map { $0.announced.count { $0.key == Fixture.key(1) } } == counts)
            #expect(mechanisms[1].announced.count == 2, "it keeps announcing by itself")
            #expect(manager.announcement(of: Fixture.key(1)) == nil && manager.statistics.announcedCount == 1)
            await manager.withdrawAll()
            #expect(manager.announcements.isEmpty && mechanisms[1].withdrawn == [Fixture.key(1), Fixture.key(2)])
        }
    }

    @Test("content that is withdrawn while it is announced: whoever waits is told, and it ends withdrawn")
    func withdrawMeanwhile() async throws {
        let mechanism = FakeMechanism(.pex)
        mechanism.set(.stuck)
        let manager = try self.manager([mechanism])
        let announcing = Task { try await manager.announce(AnnouncedContent(Fixture.key(1))) }
        try await eventually { mechanism.stuckCount == 1 }
        mechanism.set(.taken(1))
        // The first try does not let itself be cancelled, and is not waited for.
        let report = try await manager.withdraw(Fixture.key(1))
        #expect(report.entries.map(\.outcome) == [.withdrawn] && mechanism.withdrawn == [Fixture.key(1)])
        await #expect(throws: DiscoveryError(.withdrawn, "")) { try await announcing.value }
        mechanism.release()
    }

    @Test("who stops waiting for the report does not stop the announcement")
    func cancelWaiting() async throws {
        let mechanism = FakeMechanism(.pex)
        mechanism.set(.stuck)
        let manager = try self.manager([mechanism])
        let announcing = Task { try await manager.announce(AnnouncedContent(Fixture.key(1))) }
        try await eventually { mechanism.stuckCount == 1 }
        announcing.cancel()
        await #expect(throws: CancellationError.self) { try await announcing.value }
        #expect(manager.announcement(of: Fixture.key(1))?.entries.map(\.outcome) == [.pending])
        mechanism.release()
        try await eventually { manager.announcement(of: Fixture.key(1))?.entries.map(\.outcome) == [.taken(by: 0)] }
    }

    @Test("many contents are announced in the background, together where a mechanism can do that")
    func background() async throws {
        let mechanisms = [FakeMechanism(.dht, keepsAnnouncing: true, takesOver: true), FakeMechanism(.pex)]
        let manager = try self.manager(mechanisms) {
            $0.announcementRate = 10_000
            $0.maximumAnnouncements = 1_000
        }
        let contents = (0..<1_000).map { AnnouncedContent(Fixture.key($0)) }
        try await self.running(manager) {
            try manager.announce(all: contents)
            try await eventually { manager.announcements.allSatisfy { $0.takenBy == [.pex] } }
            #expect(mechanisms[0].background.count == 1_000 && mechanisms[0].announced.isEmpty && mechanisms[1].announced.count == 1_000)
            #expect(throws: DiscoveryError(.limitExceeded, "")) { try manager.announce(all: [AnnouncedContent(Fixture.key(5_000))]) }
            await #expect(throws: DiscoveryError(.limitExceeded, "")) { try await manager.announce(AnnouncedContent(Fixture.key(5_000))) }
            #expect(mechanisms[0].background.count == 1_000)
        }
    }

    @Test("when the first peer is there, nobody waits for the next try")
    func announceAgain() async throws {
        let mechanism = FakeMechanism(.pex)
        mechanism.set(.taken(0))
        let manager = try self.manager([mechanism])
        try await self.running(manager) {
            try await manager.announce(AnnouncedContent(Fixture.key(1)))
            mechanism.set(.taken(1))
            manager.announceAgain()
            try await eventually { manager.announcement(of: Fixture.key(1))?.isTaken == true }
            manager.announceAgain(everything: true)
            try await eventually { mechanism.announced.count == 3 }
        }
    }

    @Test("the end of the service ends what waits")
    func end() async throws {
        let mechanism = FakeMechanism(.pex)
        mechanism.set(.stuck)
        let manager = try self.manager([mechanism])
        let run = Task { try await manager.run() }
        let announcing = Task { try await manager.announce(AnnouncedContent(Fixture.key(1))) }
        let searching = Task {
            var count = 0
            for await _ in manager.find(Fixture.key(1), options: .init(until: .cancelled)) { count += 1 }
            return count
        }
        try await eventually { mechanism.stuckCount == 1 && mechanism.searchCount == 1 }
        run.cancel()
        try await run.value
        await #expect(throws: DiscoveryError(.closed, "")) { try await announcing.value }
        #expect(await searching.value == 0)
        try await eventually { mechanism.endedSearchCount == 1 }
        mechanism.release()
    }
}
