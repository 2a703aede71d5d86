import DIGTestSupport
import Testing

@testable import DIGDiscovery

@Suite("Search state machine")
struct SearchStateMachineTests {
    private typealias Machine = SearchStateMachine
    private let start = ContinuousClock.now

    private func machine(
        _ sources: [DiscoverySource] = [.dht, .gun, .pex], listening: [DiscoverySource] = [], _ options: HolderSearchOptions = .init(),
        _ configure: (inout DiscoveryConfiguration) -> Void = { _ in }
    ) -> Machine {
        var configuration = DiscoveryConfiguration()
        configure(&configuration)
        return Machine(
            sources.map { .init(source: $0, isListening: listening.contains($0)) }, ourselves: Fixture.ourselves, options: options,
            configuration: configuration, now: self.start)
    }

    private func events(_ machine: inout Machine) -> [DiscoveryEvent] {
        var events: [DiscoveryEvent] = []
        while let event = machine.nextEvent() { events.append(event) }
        return events
    }

    private func ends(_ machine: inout Machine) -> [DiscoverySource: DiscoveryOutcome] {
        var ends: [DiscoverySource: DiscoveryOutcome] = [:]
        for case .ended(let source, let outcome, _) in self.events(&machine) { ends[source] = outcome }
        return ends
    }

    @Test("all are asked at once, the first result is told at once, and the search ends with the last answer")
    func story() {
        var machine = self.machine()
        #expect(machine.started(now: self.start) == [.ask(0, round: 1), .ask(1, round: 1), .ask(2, round: 1)])
        let holder = FoundHolder(Fixture.peer(1), addresses: [Fixture.address(1)])
        #expect(machine.found(holder, by: 1, round: 1, now: self.start + .milliseconds(30)).isEmpty)
        guard case .found(let found)? = machine.nextEvent() else { return #expect(Bool(false), "nothing is told") }
        #expect(found.peer == holder.peer && found.sources == [.gun] && found.firstSeen == .milliseconds(30))
        #expect(machine.nextEvent() == nil && !machine.isOver)
        #expect(
            machine.ended(1, round: 1, failure: nil, now: self.start + .milliseconds(40))
                == [.record(SearchRecord(source: .gun, outcome: .completed(found: 1), found: 1, timeToFirst: .milliseconds(30)))])
        #expect(machine.nextEvent() == .ended(.gun, .completed(found: 1), .milliseconds(40)))
        _ = machine.ended(0, round: 1, failure: "no peers", now: self.start + .milliseconds(50))
        #expect(machine.nextEvent() == .ended(.dht, .failed("no peers"), .milliseconds(50)))
        #expect(!machine.isEnded)
        _ = machine.ended(2, round: 1, failure: nil, now: self.start + .milliseconds(60))
        #expect(machine.isEnded && !machine.isOver)
        #expect(machine.nextEvent() == .ended(.pex, .completed(found: 0), .milliseconds(60)))
        #expect(machine.isOver && machine.deadline == nil)
    }

    @Test("a mechanism that hangs is given up at its limit, and nobody else is")
    func hang() {
        var machine = self.machine()
        _ = machine.started(now: self.start)
        _ = machine.ended(0, round: 1, failure: nil, now: self.start + .seconds(1))
        _ = machine.ended(1, round: 1, failure: nil, now: self.start + .seconds(2))
        #expect(machine.deadline == self.start + .seconds(60))
        #expect(machine.deadlineReached(now: self.start + .seconds(59)).isEmpty)
        #expect(machine.deadlineReached(now: self.start + .seconds(60)).first == .stop(2))
        #expect(self.ends(&machine) == [.dht: .completed(found: 0), .gun: .completed(found: 0), .pex: .timedOut])
        #expect(machine.isOver)
        // It comes too late.
        #expect(machine.found(FoundHolder(Fixture.peer(1), addresses: []), by: 2, round: 1, now: self.start + .seconds(61)).isEmpty)
        #expect(machine.nextEvent() == nil)
    }

    @Test("a mechanism that floods is given up, and what the others find has room")
    func flood() {
        var machine = self.machine { $0.maximumResultsPerSearch = 100 }
        _ = machine.started(now: self.start)
        var actions: [Machine.Action] = []
        for number in 1...101 { actions += machine.found(FoundHolder(Fixture.peer(UInt64(number)), addresses: []), by: 0, round: 1, now: self.start) }
        #expect(
            actions == [.stop(0), .record(SearchRecord(source: .dht, outcome: .flooded, found: 100, timeToFirst: .zero))])
        #expect(!machine.isAsking(0, round: 1) && machine.isAsking(1, round: 1))
        _ = machine.found(FoundHolder(Fixture.peer(999), addresses: []), by: 1, round: 1, now: self.start)
        let events = self.events(&machine)
        #expect(events.count == 102)
        #expect(events.contains(.ended(.dht, .flooded, .zero)))
    }

    @Test("who speaks slowly may speak for ever")
    func slowly() {
        var machine = self.machine([.local], listening: [.local], .init(until: .cancelled)) { $0.maximumResultsPerSearch = 10 }
        _ = machine.started(now: self.start)
        for second in 0..<1_000 {
            #expect(machine.found(FoundHolder(Fixture.peer(1), addresses: []), by: 0, round: 1, now: self.start + .seconds(second)).isEmpty)
        }
        #expect(machine.isAsking(0, round: 1))
    }

    @Test("those that listen are listened to for a while, and for as long as the others take")
    func listening() {
        var machine = self.machine([.dht, .local], listening: [.local])
        _ = machine.started(now: self.start)
        #expect(machine.deadline == self.start + .seconds(2))
        #expect(machine.deadlineReached(now: self.start + .seconds(2)).isEmpty)
        #expect(machine.deadline == self.start + .seconds(60))
        _ = machine.found(FoundHolder(Fixture.peer(1), addresses: []), by: 1, round: 1, now: self.start + .seconds(5))
        let actions = machine.ended(0, round: 1, failure: nil, now: self.start + .seconds(6))
        #expect(actions.contains(.stop(1)) && machine.isEnded)
        #expect(self.ends(&machine) == [.dht: .completed(found: 0), .local: .completed(found: 1)])

        machine = self.machine([.dht, .local], listening: [.local])
        _ = machine.started(now: self.start)
        _ = machine.ended(0, round: 1, failure: nil, now: self.start + .milliseconds(10))
        #expect(!machine.isEnded)
        #expect(machine.deadlineReached(now: self.start + .seconds(2)).first == .stop(1))
        #expect(machine.isEnded)
    }

    @Test("a search until it is cancelled asks again, later and later")
    func again() {
        var machine = self.machine([.dht, .local], listening: [.local], .init(until: .cancelled))
        _ = machine.started(now: self.start)
        var now = self.start
        var waits: [Duration] = []
        for round in 1...8 {
            _ = machine.ended(0, round: UInt64(round), failure: nil, now: now)
            let deadline = machine.deadline ?? now
            waits.append(deadline - now)
            now = deadline
            #expect(machine.deadlineReached(now: now) == [.ask(0, round: UInt64(round + 1))])
        }
        #expect(waits == [15, 30, 60, 120, 240, 300, 300, 300].map { .seconds($0) })
        #expect(machine.isAsking(1, round: 1))
        // A slow reader hears of the last end only.
        #expect(self.events(&machine).count == 1)
        let actions = machine.cancelled(now: now)
        #expect(actions.contains(.stop(0)) && actions.contains(.stop(1)) && machine.isEnded)
    }

    @Test("who could not search is asked again soon, and at once when somebody is there")
    func retry() throws {
        var machine = self.machine([.pex], .init(until: .cancelled))
        _ = machine.started(now: self.start)
        var now = self.start
        var waits: [Duration] = []
        for round in 1...7 {
            _ = machine.ended(0, round: UInt64(round), failure: "nobody is connected", now: now)
            #expect(machine.peersChanged(now: now).isEmpty, "it has just been asked")
            let deadline = try #require(machine.deadline)
            waits.append(deadline - now)
            now = deadline
            #expect(machine.deadlineReached(now: now) == [.ask(0, round: UInt64(round + 1))])
        }
        #expect(waits == [1, 2, 4, 8, 15, 15, 15].map { .seconds($0) })
        _ = machine.ended(0, round: 8, failure: nil, now: now)
        #expect(machine.deadline == now + .seconds(15))
        now += .seconds(1)
        #expect(machine.peersChanged(now: now) == [.ask(0, round: 9)])
        #expect(machine.peersChanged(now: now).isEmpty)
        _ = machine.cancelled(now: now)
        #expect(machine.peersChanged(now: now + .seconds(100)).isEmpty)
    }

    @Test("enough is enough")
    func limit() {
        var machine = self.machine([.dht, .local], listening: [.local], .init(limit: 2))
        _ = machine.started(now: self.start)
        for number in 1...5 {
            #expect(machine.found(FoundHolder(Fixture.peer(UInt64(number)), addresses: [], isClaimed: false), by: 1, round: 1, now: self.start).isEmpty)
        }
        #expect(machine.found(FoundHolder(Fixture.peer(1), addresses: []), by: 0, round: 1, now: self.start).isEmpty)
        let actions = machine.found(FoundHolder(Fixture.peer(9), addresses: []), by: 0, round: 1, now: self.start)
        #expect(actions.contains(.stop(0)) && actions.contains(.stop(1)))
        #expect(self.ends(&machine) == [.dht: .completed(found: 2), .local: .completed(found: 5)])
    }

    @Test("of a holder that changes before it is told, the last state is told once")
    func coalescing() {
        var machine = self.machine()
        _ = machine.started(now: self.start)
        for number in 0..<10 {
            _ = machine.found(FoundHolder(Fixture.peer(1), addresses: [Fixture.address(number)]), by: number % 3, round: 1, now: self.start)
        }
        let events = self.events(&machine)
        #expect(events.count == 1)
        guard case .found(let holder)? = events.first else { return #expect(Bool(false)) }
        #expect(holder.addresses.count == 10 && holder.sources == [.dht, .gun, .pex])
        _ = machine.found(FoundHolder(Fixture.peer(1), addresses: [Fixture.address(3)]), by: 1, round: 1, now: self.start)
        #expect(machine.nextEvent() != nil, "that GUN names it too is new")
        _ = machine.found(FoundHolder(Fixture.peer(1), addresses: [Fixture.address(3)]), by: 1, round: 1, now: self.start)
        #expect(machine.nextEvent() == nil)
    }

    @Test("no mechanism, no search")
    func none() {
        var machine = self.machine([])
        #expect(machine.started(now: self.start).isEmpty && machine.isOver)
    }

    @Test("whatever mechanisms do and in whatever order, the search ends and everything stays in bounds")
    func random() {
        for seed in 1...200 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            var machine = self.machine(DiscoverySource.allCases, listening: [.local, .gossip], .init(until: seed % 3 == 0 ? .cancelled : .answered)) {
                $0.maximumHoldersPerSearch = 20
                $0.maximumAddressesPerHolder = 3
                $0.maximumResultsPerSearch = 30
            }
            var now = self.start
            var rounds = Array(repeating: UInt64(0), count: 6)
            func take(_ actions: [Machine.Action]) {
                for case .ask(let index, let round) in actions { rounds[index] = round }
            }
            take(machine.started(now: now))
            var told = Set<DiscoveredHolder>()
            for _ in 0..<400 {
                now += .milliseconds(Int.random(in: 0...300, using: &generator))
                let index = Int.random(in: 0..<6, using: &generator)
                switch Int.random(in: 0..<10, using: &generator) {
                case 0: take(machine.ended(index, round: rounds[index], failure: nil, now: now))
                case 1: take(machine.deadlineReached(now: now))
                case 2: if let event = machine.nextEvent(), case .found(let holder) = event { told.insert(holder) }
                default:
                    let addresses = (0..<4).map { _ in Fixture.address(Int.random(in: 0..<50, using: &generator)) }
                    let holder = FoundHolder(Fixture.peer(.random(in: 1...60, using: &generator)), addresses: addresses, isSigned: .random(using: &generator))
                    take(machine.found(holder, by: index, round: rounds[index], now: now))
                }
            }
            #expect(told.allSatisfy { $0.addresses.count <= 3 && Set($0.addresses).count == $0.addresses.count && Set($0.sources).count == $0.sources.count })
            #expect(Set(told.map(\.peer)).count <= 20, "seed \(seed)")
            if seed % 3 != 0 {
                for _ in 0..<10 { if let deadline = machine.deadline { _ = machine.deadlineReached(now: deadline) } }
                #expect(machine.isEnded, "seed \(seed)")
            } else {
                _ = machine.cancelled(now: now)
            }
            var ends = 0
            while let event = machine.nextEvent() { if case .ended = event { ends += 1 } }
            #expect(ends <= 6 && machine.isOver, "seed \(seed)")
        }
    }
}
