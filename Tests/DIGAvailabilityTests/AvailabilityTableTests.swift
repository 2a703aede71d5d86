import DIGAnnouncement
import DIGContent
import DIGIdentity
import Testing

@testable import DIGAvailability

@Suite("Table of holders")
struct AvailabilityTableTests {
    let content = Scene.content(0)
    let holder = Scene.peer(0)
    let reporters = (100..<130).map(Scene.peer)
    let start = Scene.now

    private func table(_ change: (inout AvailabilityConfiguration) -> Void = { _ in }) throws -> AvailabilityTable {
        var configuration = AvailabilityConfiguration()
        change(&configuration)
        var table = AvailabilityTable(configuration: configuration, seed: 1)
        try table.announced(Scene.announcement(self.holder, self.content, at: self.start), nowMilliseconds: self.start)
        return table
    }

    private func report(_ table: inout AvailabilityTable, _ numbers: Range<Int>, at time: UInt64) throws {
        for number in numbers { try table.reported(Scene.report(by: self.reporters[number], self.holder, self.content, at: time), nowMilliseconds: time) }
    }

    private func status(_ table: AvailabilityTable, at time: UInt64) -> PeerContentStatus { table.status(of: self.holder, for: self.content, nowMilliseconds: time) }
    private func level(_ table: AvailabilityTable, at time: UInt64) throws -> ReportLevel {
        try #require(table.state(of: self.holder, for: self.content, nowMilliseconds: time)).level
    }

    @Test("one report does nothing, two make suspect, three medium, five high, and high asks at once")
    func boundaries() throws {
        var table = try self.table()
        for (count, level, status) in [
            (1, ReportLevel.none, PeerContentStatus.available), (2, .low, .suspect), (3, .medium, .suspect), (4, .medium, .suspect), (5, .high, .suspect),
        ] {
            #expect(table.nextVerifications(limit: 8, nowMilliseconds: self.start).isEmpty)
            try self.report(&table, (count - 1)..<count, at: self.start)
            #expect(try self.level(table, at: self.start) == level)
            #expect(self.status(table, at: self.start) == status)
        }
        let requests = table.nextVerifications(limit: 8, nowMilliseconds: self.start)
        #expect(requests.map(\.peer) == [self.holder])
        #expect(table.nextVerifications(limit: 8, nowMilliseconds: self.start).isEmpty)
    }

    @Test("one reporter counts once, and again only after a half-life")
    func oneReporter() throws {
        var table = try self.table()
        try self.report(&table, 0..<1, at: self.start)
        for time in [self.start, self.start + 1, self.start + 30 * Scene.minute - 1] {
            #expect(throws: AvailabilityError.replayed) { try self.report(&table, 0..<1, at: time) }
        }
        #expect(self.status(table, at: self.start + 1) == .available)
        try self.report(&table, 0..<1, at: self.start + 30 * Scene.minute)
        #expect(table.reportCount == 1)
        #expect(try self.level(table, at: self.start + 30 * Scene.minute) == .none)
    }

    @Test("two reports make low for exactly one half-life, and then the holder is available again")
    func decay() throws {
        var table = try self.table()
        try self.report(&table, 0..<2, at: self.start)
        let half = self.start + 30 * Scene.minute
        #expect(try self.level(table, at: half - 1) == .low)
        #expect(self.status(table, at: half - 1) == .suspect)
        #expect(try self.level(table, at: half) == .none)
        #expect(self.status(table, at: half) == .available)
        _ = table.nextVerifications(limit: 8, nowMilliseconds: half - 1)
        _ = table.takeChanges()
        #expect(try #require(table.nextDeadline) == half)
        _ = table.nextVerifications(limit: 8, nowMilliseconds: half)
        #expect(table.takeChanges() == [.statusChanged(self.holder, self.content, from: .suspect, to: .available, on: .decayed(.none))])
        // After 100 minutes a report is forgotten.
        try table.announced(Scene.announcement(self.holder, self.content, at: half), nowMilliseconds: half)
        let end = self.start + 99 * Scene.minute + 40 * Scene.second
        try table.announced(Scene.announcement(self.holder, self.content, at: end - 5 * Scene.minute), nowMilliseconds: end - 5 * Scene.minute)
        #expect(table.reportCount == 2)
        _ = table.nextVerifications(limit: 8, nowMilliseconds: end)
        #expect(table.reportCount == 0)
    }

    @Test("five reports at once are high until their weight is that of four")
    func decayOfHigh() throws {
        var table = try self.table { $0.rules.verifies = false }
        try self.report(&table, 0..<5, at: self.start)
        // 30 min × log2(5 / 4)
        let end = self.start + 579_470
        #expect(try self.level(table, at: end) == .high)
        #expect(try self.level(table, at: end + 1) == .medium)
    }

    @Test("a proof clears the reports, and those from before it do not come back")
    func proof() throws {
        var table = try self.table()
        try self.report(&table, 0..<5, at: self.start)
        let request = try #require(table.nextVerifications(limit: 8, nowMilliseconds: self.start).first)
        let later = self.start + Scene.second
        table.verified(request, outcome: .proved, nowMilliseconds: later)
        #expect(self.status(table, at: later) == .available)
        #expect(table.reportCount == 0)
        #expect(throws: AvailabilityError.refuted) {
            try table.reported(Scene.report(by: self.reporters[0], self.holder, self.content, at: self.start), nowMilliseconds: later + 1)
        }
        #expect(throws: AvailabilityError.refuted) {
            try table.reported(Scene.report(by: self.reporters[9], self.holder, self.content, at: later), nowMilliseconds: later + 1)
        }
        // Who has reported falsely weighs less: two of them no longer make low with a fresh one's weight of two thirds.
        try self.report(&table, 0..<2, at: later + 1)
        let state = try #require(table.state(of: self.holder, for: self.content, nowMilliseconds: later + 1))
        #expect(abs(state.reportWeight - 4.0 / 3.0) < 0.001)
    }

    @Test("a refuted report is not heard again while it could count, even if the claim is over meanwhile")
    func refutedReplay() throws {
        var table = AvailabilityTable(seed: 1)
        var announcement = Scene.announcement(self.holder, self.content, at: self.start)
        announcement.lifetime = .seconds(60)
        try table.announced(announcement, nowMilliseconds: self.start)
        try self.report(&table, 0..<5, at: self.start)
        let request = try #require(table.nextVerifications(limit: 8, nowMilliseconds: self.start).first)
        table.verified(request, outcome: .proved, nowMilliseconds: self.start + 1)
        for time in stride(from: self.start + Scene.minute, to: self.start + 99 * Scene.minute, by: Int(5 * Scene.minute)) {
            _ = table.nextVerifications(limit: 8, nowMilliseconds: time)
            #expect(throws: AvailabilityError.refuted) {
                try table.reported(Scene.report(by: self.reporters[1], self.holder, self.content, at: self.start), nowMilliseconds: time)
            }
        }
        _ = table.nextVerifications(limit: 8, nowMilliseconds: self.start + 101 * Scene.minute)
        #expect(table.count == 0)
    }

    @Test("whoever has no proof is unavailable, and comes back by announcing itself and proving")
    func disproof() throws {
        var table = try self.table()
        table.watch(self.content, nowMilliseconds: self.start)
        try self.report(&table, 0..<5, at: self.start)
        let request = try #require(table.nextVerifications(limit: 8, nowMilliseconds: self.start).first)
        table.verified(request, outcome: .disproved, nowMilliseconds: self.start)
        #expect(self.status(table, at: self.start) == .unavailable)
        #expect(table.reputations[self.reporters[0]]?.credibility.good == 1)
        // Time does not clear it, nor does silence, and an announcement alone does not.
        var time = self.start + 20 * Scene.hour
        #expect(table.nextVerifications(limit: 8, nowMilliseconds: time).isEmpty)
        #expect(self.status(table, at: time) == .unavailable)
        try table.announced(Scene.announcement(self.holder, self.content, at: time), nowMilliseconds: time)
        #expect(self.status(table, at: time) == .unavailable)
        table.watch(self.content, nowMilliseconds: time)
        let again = try #require(table.nextVerifications(limit: 8, nowMilliseconds: time).first)
        time += Scene.second
        table.verified(again, outcome: .proved, nowMilliseconds: time)
        #expect(self.status(table, at: time) == .available)
    }

    @Test("who cannot be asked three times is unavailable if many say so, and otherwise suspect until the doubt is over", arguments: [0, 1, 2, 4, 5])
    func unanswered(reportCount: Int) throws {
        var table = try self.table()
        table.watch(self.content, nowMilliseconds: self.start)
        var time = self.start
        if reportCount < 5 {
            // Wait for the rhythm, then report, so that nothing decays.
            while true {
                time = try #require(table.nextDeadline)
                guard table.nextVerifications(limit: 0, nowMilliseconds: time).isEmpty, self.status(table, at: time) == .available else { break }
                if table.record(of: self.holder, for: self.content).map({ $0.verifyAt <= time }) ?? true { break }
                table.watch(self.content, nowMilliseconds: time)
            }
            try table.announced(Scene.announcement(self.holder, self.content, at: time), nowMilliseconds: time)
            table.watch(self.content, nowMilliseconds: time)
        }
        try self.report(&table, 0..<reportCount, at: time)
        for number in 1...3 {
            let request = try #require(table.nextVerifications(limit: 8, nowMilliseconds: time).first, "try \(number)")
            time += 10 * Scene.second
            table.verified(request, outcome: .unanswered, nowMilliseconds: time)
            if number < 3 { #expect(table.nextVerifications(limit: 8, nowMilliseconds: time + 9 * Scene.second).isEmpty) }
            if number < 3 { #expect(self.status(table, at: time) == (reportCount < 2 ? .available : .suspect)) }
            time += 10 * Scene.second
        }
        #expect(self.status(table, at: time) == (reportCount == 5 ? .unavailable : .suspect))
        if reportCount == 0 { #expect(self.status(table, at: time + 30 * Scene.minute) == .available) }
    }

    @Test("a reason of this node's own is no try")
    func postponed() throws {
        var table = try self.table()
        var time = self.start
        try self.report(&table, 0..<5, at: time)
        for _ in 0..<10 {
            let request = try #require(table.nextVerifications(limit: 8, nowMilliseconds: time).first)
            table.verified(request, outcome: .postponed, nowMilliseconds: time)
            time += 10 * Scene.second
        }
        #expect(self.status(table, at: time) == .suspect)
    }

    @Test("to the letter of the seed a high level is enough")
    func strict() throws {
        var table = try self.table { $0.rules.strictWhitepaper = true }
        try self.report(&table, 0..<4, at: self.start)
        #expect(self.status(table, at: self.start) == .suspect)
        try self.report(&table, 4..<5, at: self.start)
        #expect(self.status(table, at: self.start) == .unavailable)
        #expect(table.nextVerifications(limit: 8, nowMilliseconds: self.start).isEmpty)
    }

    @Test("a withdrawal counts at once, an older announcement does not undo it, and what is under way does not either")
    func withdrawal() throws {
        var table = try self.table()
        try self.report(&table, 0..<5, at: self.start)
        let request = try #require(table.nextVerifications(limit: 8, nowMilliseconds: self.start).first)
        let later = self.start + 10
        try table.announced(Scene.announcement(self.holder, self.content, at: later, isAvailable: false), nowMilliseconds: later)
        #expect(self.status(table, at: later) == .unavailable)
        table.verified(request, outcome: .proved, nowMilliseconds: later)
        #expect(self.status(table, at: later) == .unavailable)
        #expect(throws: AvailabilityError.replayed) {
            try table.announced(Scene.announcement(self.holder, self.content, at: later - 1), nowMilliseconds: later)
        }
        try table.claimed(by: self.holder, content: self.content, nowMilliseconds: later)
        #expect(self.status(table, at: later) == .unavailable)
        #expect(table.holders(of: self.content, nowMilliseconds: later).map(\.isClaimed) == [false])
    }

    @Test("watched holders are asked hourly, suspect ones every five minutes, give or take a fifth; others not at all")
    func rhythm() throws {
        var table = try self.table()
        var intervals: [UInt64] = []
        var time = self.start
        var asked = self.start
        // Nobody looks.
        while time < self.start + 5 * Scene.hour {
            try? table.announced(Scene.announcement(self.holder, self.content, at: time), nowMilliseconds: time)
            #expect(table.nextVerifications(limit: 8, nowMilliseconds: time).isEmpty)
            time += 10 * Scene.minute
        }
        // Somebody looks: what was put off is done.
        table.watch(self.content, nowMilliseconds: time)
        let first = try #require(table.nextVerifications(limit: 8, nowMilliseconds: time).first)
        table.verified(first, outcome: .proved, nowMilliseconds: time)
        asked = time
        while intervals.count < 30 {
            time += Scene.minute
            table.watch(self.content, nowMilliseconds: time)
            try? table.announced(Scene.announcement(self.holder, self.content, at: time), nowMilliseconds: time)
            guard let request = table.nextVerifications(limit: 8, nowMilliseconds: time).first else { continue }
            table.verified(request, outcome: .proved, nowMilliseconds: time)
            intervals.append(time - asked)
            asked = time
        }
        #expect(intervals.allSatisfy { (48 * Scene.minute...73 * Scene.minute).contains($0) })
        #expect(Set(intervals).count > 5)
        try self.report(&table, 0..<2, at: time + 1)
        time += 1
        var deadline = try #require(table.nextDeadline)
        while table.nextVerifications(limit: 8, nowMilliseconds: deadline).isEmpty { deadline = try #require(table.nextDeadline) }
        #expect((4 * Scene.minute...6 * Scene.minute).contains(deadline - time))
    }

    @Test("a claim ends with its lifetime, whatever lifetime the peer chose, and one lost renewal is survived")
    func lifetimes() throws {
        var table = try self.table()
        let hour = self.start + Scene.hour
        #expect(table.holders(of: self.content, nowMilliseconds: hour - 1).map(\.isClaimed) == [true])
        #expect(table.holders(of: self.content, nowMilliseconds: hour).map(\.isClaimed) == [false])
        _ = table.nextVerifications(limit: 8, nowMilliseconds: hour)
        #expect(table.count == 0)
        // Announced at 0, 30 (lost), 60 minutes less a second.
        table = try self.table()
        try table.announced(Scene.announcement(self.holder, self.content, at: hour - Scene.second), nowMilliseconds: hour - Scene.second)
        #expect(table.holders(of: self.content, nowMilliseconds: hour + Scene.minute).map(\.isClaimed) == [true])
        var long = Scene.announcement(self.holder, self.content, at: hour)
        long.lifetime = .seconds(1_000_000)
        try table.announced(long, nowMilliseconds: hour)
        #expect(try #require(table.record(of: self.holder, for: self.content)).claimedUntil == hour + 24 * Scene.hour)
        var short = Scene.announcement(self.holder, self.content, at: hour + 1)
        short.lifetime = .milliseconds(1)
        try table.announced(short, nowMilliseconds: hour + 1)
        #expect(try #require(table.record(of: self.holder, for: self.content)).claimedUntil == hour + 1 + Scene.minute)
    }

    @Test("what is refused has a reason and changes nothing")
    func refusals() throws {
        var table = try self.table {
            $0.reportsPerReporter = 3
            $0.recordsPerPeer = 2
        }
        try self.report(&table, 0..<1, at: self.start)
        _ = table.takeChanges()
        _ = table.takeTouched()
        let reporter = self.reporters[0]
        let cases: [(AvailabilityReport, AvailabilityError)] = [
            (Scene.report(by: self.holder, self.holder, self.content, at: self.start), .aboutItself),
            (Scene.report(by: self.reporters[1], self.holder, self.content, at: self.start + 121 * Scene.second), .fromTheFuture),
            (Scene.report(by: self.reporters[1], self.holder, self.content, at: self.start - 100 * Scene.minute), .expired),
            (Scene.report(by: self.reporters[1], self.holder, self.content, at: 0), .expired),
            (Scene.report(by: reporter, self.holder, self.content, at: self.start), .replayed),
        ]
        for (report, error) in cases { #expect(throws: error) { try table.reported(report, nowMilliseconds: self.start) } }
        let announcements: [(UInt64, AvailabilityError)] = [(self.start, .replayed), (self.start - 1, .replayed), (self.start + 121 * Scene.second, .fromTheFuture), (self.start - Scene.hour, .expired)]
        for (time, error) in announcements {
            #expect(throws: error) { try table.announced(Scene.announcement(self.holder, self.content, at: time), nowMilliseconds: self.start) }
        }
        #expect(table.takeChanges().isEmpty)
        #expect(table.takeTouched().isEmpty)
        #expect(table.reportCount == 1 && table.count == 1)
        // Quotas.
        for number in 1..<3 { try table.reported(Scene.report(by: reporter, Scene.peer(number), self.content, at: self.start), nowMilliseconds: self.start) }
        #expect(throws: AvailabilityError.quotaExceeded) { try table.reported(Scene.report(by: reporter, Scene.peer(4), self.content, at: self.start), nowMilliseconds: self.start) }
        let next = self.start + 30 * Scene.minute
        try table.reported(Scene.report(by: reporter, Scene.peer(4), self.content, at: next), nowMilliseconds: next)
        try table.claimed(by: self.holder, content: Scene.content(1), nowMilliseconds: self.start)
        #expect(throws: AvailabilityError.quotaExceeded) { try table.claimed(by: self.holder, content: Scene.content(2), nowMilliseconds: self.start) }
    }

    @Test("a record has sixteen reports at most, of which the lightest makes way for a heavier one")
    func reportsPerRecord() throws {
        var table = try self.table { $0.rules.verifies = false }
        try self.report(&table, 0..<16, at: self.start)
        #expect(throws: AvailabilityError.noRoom) { try self.report(&table, 16..<17, at: self.start) }
        try self.report(&table, 16..<17, at: self.start + Scene.minute)
        #expect(table.reportCount == 16)
    }

    @Test("a full table sheds what nobody claims, then of those who claim most, and takes no mere report")
    func bounds() throws {
        var table = try self.table {
            $0.recordLimit = 64
            $0.peerLimit = 32
            $0.reportLimit = 40
        }
        for number in 0..<30 { try table.reported(Scene.report(by: self.reporters[number], Scene.peer(5), Scene.content(number), at: self.start), nowMilliseconds: self.start) }
        for number in 1..<200 { try table.claimed(by: Scene.peer(1), content: Scene.content(number), nowMilliseconds: self.start) }
        #expect(table.count <= 64)
        #expect(table.status(of: self.holder, for: self.content, nowMilliseconds: self.start) == .available)
        #expect(table.record(of: self.holder, for: self.content) != nil)
        #expect(table.reportCount <= 40 && table.reputations.count <= 32)
        var kept = 0
        for content in 0..<200 { kept += table.holders(of: Scene.content(content), nowMilliseconds: self.start).count }
        #expect(kept == table.count)
        while table.count < 64 { try table.claimed(by: Scene.peer(table.count + 300), content: Scene.content(1_000 + table.count), nowMilliseconds: self.start) }
        #expect(throws: AvailabilityError.noRoom) { try table.reported(Scene.report(by: self.reporters[0], Scene.peer(7), Scene.content(7_777), at: self.start), nowMilliseconds: self.start) }
    }

    @Test("own experience is proof and disproof")
    func experience() throws {
        var table = try self.table()
        table.experienced(.missing, of: self.holder, content: self.content, nowMilliseconds: self.start)
        #expect(self.status(table, at: self.start) == .unavailable)
        table.experienced(.transferred(byteCount: 1 << 20, over: .seconds(1)), of: self.holder, content: self.content, nowMilliseconds: self.start)
        #expect(self.status(table, at: self.start) == .available)
        table.experienced(.unreachable, of: self.holder, content: self.content, nowMilliseconds: self.start)
        #expect(self.status(table, at: self.start) == .available)
    }

    @Test("what is kept comes back")
    func restoring() throws {
        var table = try self.table()
        try self.report(&table, 0..<3, at: self.start)
        table.experienced(.missing, of: Scene.peer(9), nowMilliseconds: self.start)
        let snapshots = table.takeTouched().compactMap { touched in touched.record.map { HolderSnapshot(peer: touched.peer, content: touched.content, record: $0) } }
        let data = try JSONCoder.encode(snapshots)
        let read = try JSONCoder.decode([HolderSnapshot].self, data)
        var copy = AvailabilityTable(seed: 2)
        copy.restore(read, reputations: Dictionary(uniqueKeysWithValues: table.takeTouchedPeers().map { ($0.peer, $0.reputation) }), nowMilliseconds: self.start)
        #expect(copy.holders(of: self.content, nowMilliseconds: self.start) == table.holders(of: self.content, nowMilliseconds: self.start))
        #expect(copy.score(of: Scene.peer(9), nowMilliseconds: self.start).success < 0.5)
        #expect(copy.count == 1 && copy.reportCount == 3)
        #expect(throws: AvailabilityError.replayed) { try copy.announced(Scene.announcement(self.holder, self.content, at: self.start), nowMilliseconds: self.start) }
        // Two days later nothing of it is left but the reputation.
        var late = AvailabilityTable(seed: 2)
        late.restore(read, reputations: [:], nowMilliseconds: self.start + 48 * Scene.hour)
        #expect(late.count == 0)
    }

    @Test("a hint of a holder that failed asks it again after five minutes, and not before")
    func hintAfterFailure() throws {
        var table = AvailabilityTable(seed: 1)
        let peer = self.holder
        try table.claimed(by: peer, content: self.content, nowMilliseconds: self.start)
        table.watch(self.content, nowMilliseconds: self.start)
        table.experienced(.missing, of: peer, content: self.content, nowMilliseconds: self.start)
        #expect(self.status(table, at: self.start) == .unavailable)
        for minute in 1...4 {
            try table.claimed(by: peer, content: self.content, nowMilliseconds: self.start + UInt64(minute) * Scene.minute)
            #expect(table.nextVerifications(limit: 1, nowMilliseconds: self.start + UInt64(minute) * Scene.minute).isEmpty)
        }
        let later = self.start + 5 * Scene.minute
        try table.claimed(by: peer, content: self.content, nowMilliseconds: later)
        let request = try #require(table.nextVerifications(limit: 1, nowMilliseconds: later).first)
        table.verified(request, outcome: .disproved, nowMilliseconds: later)
        try table.claimed(by: peer, content: self.content, nowMilliseconds: later + Scene.minute)
        #expect(table.nextVerifications(limit: 1, nowMilliseconds: later + Scene.minute).isEmpty)
        try table.claimed(by: peer, content: self.content, nowMilliseconds: later + 5 * Scene.minute)
        let again = try #require(table.nextVerifications(limit: 1, nowMilliseconds: later + 5 * Scene.minute).first)
        table.verified(again, outcome: .proved, nowMilliseconds: later + 5 * Scene.minute)
        #expect(self.status(table, at: later + 5 * Scene.minute) == .available)
    }

    @Test("what was kept while the clock was ahead is not believed")
    func implausible() throws {
        var table = try self.table()
        let contents = table.takeTouched().compactMap { touched in touched.record.map { HolderSnapshot(peer: touched.peer, content: touched.content, record: $0) } }
        #expect(contents.count == 1)
        var before = AvailabilityTable()
        before.restore(contents, reputations: [:], nowMilliseconds: self.start - Scene.hour)
        #expect(before.count == 0)
        before.restore(contents, reputations: [:], nowMilliseconds: self.start)
        #expect(before.count == 1)
    }
}
