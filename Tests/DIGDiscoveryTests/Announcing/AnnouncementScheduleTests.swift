import DIGAnnouncement
import DIGTestSupport
import Testing

@testable import DIGDiscovery

@Suite("Announcement schedule")
struct AnnouncementScheduleTests {
    private typealias Schedule = AnnouncementSchedule
    private typealias Instant = ContinuousClock.Instant
    private let start = ContinuousClock.now

    private func schedule(
        _ sources: [DiscoverySource] = [.pex, .gun], keeping: [DiscoverySource] = [], _ configure: (inout DiscoveryConfiguration) -> Void = { _ in }
    ) -> Schedule {
        var configuration = DiscoveryConfiguration()
        configure(&configuration)
        return Schedule(sources.map { .init(source: $0, keepsAnnouncing: keeping.contains($0)) }, configuration: configuration, now: self.start)
    }

    /// Starts what is to be started, and ends it with what `answer` says.
    ///
    /// - Returns: What was started, and what was told.
    private func work(
        _ schedule: inout Schedule, at now: Instant, using generator: inout SeededGenerator, answer: (Schedule.Job) -> Schedule.Outcome? = { _ in .taken(by: 2) }
    ) -> (jobs: [Schedule.Job], reports: [AnnouncementReport]) {
        var jobs: [Schedule.Job] = []
        var reports: [AnnouncementReport] = []
        while let output = schedule.poll(now: now, using: &generator) {
            switch output {
            case .start(let job):
                jobs.append(job)
                guard let outcome = answer(job) else { continue }
                let isDone = job.isWithdrawal && outcome == .taken(by: 2)
                schedule.finished(job, outcome: isDone ? .withdrawn : outcome, duration: .milliseconds(3), now: now, using: &generator)
                schedule.returned(job)
            case .cancel: break
            case .completed(let report, _): reports.append(report)
            }
        }
        return (jobs, reports)
    }

    private func deadline(_ schedule: inout Schedule, _ now: Instant) throws -> Instant {
        let deadline = schedule.deadline(now: now)
        return try #require(deadline)
    }

    @Test("content is announced by all mechanisms at once, and the report says what came of it")
    func announce() throws {
        var generator = SeededGenerator(seed: 1)
        var schedule = self.schedule([.pex, .gun, .dht])
        let content = AnnouncedContent(Fixture.key(1), port: 4001, contentID: "my film")
        #expect(schedule.announce(content, now: self.start) != nil)
        let (jobs, reports) = self.work(&schedule, at: self.start, using: &generator) { job in
            [.taken(by: 5), .failed("no relay"), .taken(by: 0)][job.mechanism]
        }
        #expect(jobs.map(\.mechanism) == [0, 1, 2] && jobs.allSatisfy { $0.content == content && !$0.isWithdrawal })
        let report = try #require(reports.first)
        #expect(reports.count == 1 && report.takenBy == [.pex] && report.isTaken)
        #expect(report.entries.map(\.outcome) == [.taken(by: 5), .failed("no relay"), .taken(by: 0)])
        #expect(report[.pex]?.takenAt == self.start && report[.gun]?.takenAt == nil)
        #expect(schedule.announcedCount == 1 && schedule.isAnnounced(content.key))
    }

    @Test("what was taken is announced again within half an hour, again and again, not always at the same time")
    func again() throws {
        var generator = SeededGenerator(seed: 2)
        var schedule = self.schedule([.pex])
        _ = schedule.announce(AnnouncedContent(Fixture.key(1)), now: self.start)
        #expect(self.work(&schedule, at: self.start, using: &generator).jobs.count == 1)
        var now = self.start
        var intervals: [Duration] = []
        for _ in 0..<50 {
            let deadline = try self.deadline(&schedule, now)
            #expect(self.work(&schedule, at: deadline - .milliseconds(1), using: &generator).jobs.isEmpty)
            #expect(self.work(&schedule, at: deadline, using: &generator).jobs.count == 1)
            intervals.append(deadline - now)
            now = deadline
        }
        #expect(intervals.allSatisfy { (.seconds(24 * 60) ... .seconds(28.5 * 60)).contains($0) })
        #expect(Set(intervals).count > 40)
    }

    /// Seconds after which it is announced again, at the earliest and at the latest.
    @Test(
        "how eagerly a content is kept known is its own choice",
        arguments: [(AnnounceLevel.high, 720.0...855.0), (.medium, 1_440.0...1_710.0), (.low, 2_880.0...3_420.0)])
    func levels(level: AnnounceLevel, seconds: ClosedRange<Double>) throws {
        for seed in 0..<20 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var schedule = self.schedule([.pex, .dht], keeping: [.dht])
            _ = schedule.announce(AnnouncedContent(Fixture.key(1), level: level), now: self.start)
            #expect(self.work(&schedule, at: self.start, using: &generator).jobs.count == 2)
            let first = try self.deadline(&schedule, self.start)
            #expect(seconds.contains((first - self.start) / .seconds(1)))
            // Who keeps announcing is asked again only for what is to be known in any case.
            let end = self.start + .seconds(seconds.upperBound)
            var mechanisms: Set<Int> = []
            while let next = schedule.deadline(now: end), next <= end {
                let jobs = self.work(&schedule, at: next, using: &generator) { job in
                    mechanisms.insert(job.mechanism)
                    return nil
                }.jobs
                if jobs.isEmpty { break }
            }
            #expect(mechanisms == (level == .high ? [0, 1] : [0]))
        }
    }

    @Test("a record that is believed for an hour outlives the loss of any one announcement")
    func loss() throws {
        for seed in 1...100 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            var schedule = self.schedule([.pex])
            _ = schedule.announce(AnnouncedContent(Fixture.key(1)), now: self.start)
            var arrivals: [Instant] = []
            var now = self.start
            // The mechanism believes that all were taken.
            for number in 0..<30 {
                #expect(self.work(&schedule, at: now, using: &generator).jobs.count == 1)
                let isLost = number % 2 == 1
                if !isLost { arrivals.append(now) }
                now = try self.deadline(&schedule, now)
            }
            #expect(zip(arrivals, arrivals.dropFirst()).allSatisfy { $1 - $0 < .seconds(3_600) }, "seed \(seed)")
        }
    }

    @Test("where nobody took it, it is tried again sooner, then later and later")
    func retry() throws {
        var generator = SeededGenerator(seed: 3)
        var schedule = self.schedule([.pex, .dht])
        _ = schedule.announce(AnnouncedContent(Fixture.key(1)), now: self.start)
        let first = self.work(&schedule, at: self.start, using: &generator) { $0.mechanism == 0 ? .taken(by: 0) : .taken(by: 20) }
        #expect(first.reports.count == 1)
        var now = self.start
        for expected in [15, 30, 60, 120, 240, 300, 300] {
            let deadline = try self.deadline(&schedule, now)
            let wait = deadline - now
            #expect(wait >= .seconds(Double(expected) * 0.8) && wait <= .seconds(Double(expected) * 1.2))
            now = deadline
            let (jobs, reports) = self.work(&schedule, at: now, using: &generator) { _ in .failed("nobody") }
            #expect(jobs.map(\.mechanism) == [0] && reports.isEmpty)
        }
        // Somebody is there.
        now = try self.deadline(&schedule, now)
        #expect(self.work(&schedule, at: now, using: &generator).jobs.count == 1)
        #expect(schedule.report(Fixture.key(1))?.takenBy == [.pex, .dht])
        #expect(try #require(schedule.report(Fixture.key(1))?[.pex]?.nextAt) > now + .seconds(1_400))
    }

    @Test("a mechanism that keeps announcing is asked again only while nobody has taken it")
    func keeping() throws {
        var generator = SeededGenerator(seed: 4)
        var schedule = self.schedule([.dht], keeping: [.dht])
        _ = schedule.announce(AnnouncedContent(Fixture.key(1)), now: self.start)
        _ = self.work(&schedule, at: self.start, using: &generator) { _ in .failed("no peers") }
        let deadline = try self.deadline(&schedule, self.start)
        #expect(self.work(&schedule, at: deadline, using: &generator).jobs.count == 1)
        #expect(schedule.deadline(now: deadline) == nil)
        #expect(schedule.isAnnounced(Fixture.key(1)))
        // Other addresses are news for everybody.
        schedule.announceAgain(everything: false, at: deadline)
        #expect(schedule.deadline(now: deadline) == nil)
        schedule.announceAgain(everything: true, at: deadline)
        #expect(self.work(&schedule, at: deadline, using: &generator).jobs.count == 1)
    }

    @Test("when somebody appears, what nobody took is tried at once")
    func somebodyThere() {
        var generator = SeededGenerator(seed: 5)
        var schedule = self.schedule([.pex, .gun])
        for number in 0..<3 { _ = schedule.announce(AnnouncedContent(Fixture.key(number)), now: self.start) }
        _ = self.work(&schedule, at: self.start, using: &generator) { $0.mechanism == 0 ? .taken(by: 0) : .taken(by: 1) }
        schedule.announceAgain(everything: false, at: self.start + .seconds(1))
        let jobs = self.work(&schedule, at: self.start + .seconds(1), using: &generator).jobs
        #expect(jobs.count == 3 && jobs.allSatisfy { $0.mechanism == 0 })
    }

    @Test("withdrawn content is said to be withdrawn by all mechanisms, and never announced again")
    func withdraw() {
        var generator = SeededGenerator(seed: 6)
        var schedule = self.schedule()
        _ = schedule.announce(AnnouncedContent(Fixture.key(1)), now: self.start)
        _ = self.work(&schedule, at: self.start, using: &generator)
        #expect(schedule.withdraw(Fixture.key(1), now: self.start) != nil)
        #expect(!schedule.isAnnounced(Fixture.key(1)) && schedule.announcedCount == 0)
        let (jobs, reports) = self.work(&schedule, at: self.start, using: &generator)
        #expect(jobs.map(\.mechanism) == [0, 1] && jobs.allSatisfy(\.isWithdrawal))
        #expect(reports.map { $0.entries.map(\.outcome) } == [[.withdrawn, .withdrawn]])
        #expect(schedule.deadline(now: self.start) == nil && schedule.report(Fixture.key(1)) == nil)
    }

    @Test("a withdrawal that nobody hears is tried again for as long as others may believe the announcement")
    func withdrawAgain() {
        var generator = SeededGenerator(seed: 7)
        var schedule = self.schedule([.pex, .gun])
        _ = schedule.announce(AnnouncedContent(Fixture.key(1)), now: self.start)
        // Nobody ever took it at the second mechanism.
        _ = self.work(&schedule, at: self.start, using: &generator) { $0.mechanism == 0 ? .taken(by: 1) : .failed("no relay") }
        _ = schedule.withdraw(Fixture.key(1), now: self.start + .seconds(60))
        var attempts = [0, 0]
        var now = self.start + .seconds(60)
        while true {
            for job in self.work(&schedule, at: now, using: &generator, answer: { _ in .failed("cut off") }).jobs { attempts[job.mechanism] += 1 }
            guard let deadline = schedule.deadline(now: now) else { break }
            now = deadline
        }
        #expect(attempts[0] > 10 && attempts[1] == 1)
        #expect(now > self.start + .seconds(3_200) && now < self.start + .seconds(3_600))
        #expect(schedule.report(Fixture.key(1)) == nil)
    }

    @Test("what is withdrawn while it is being announced is withdrawn as soon as that has ended")
    func withdrawMeanwhile() throws {
        var generator = SeededGenerator(seed: 8)
        var schedule = self.schedule([.pex])
        _ = schedule.announce(AnnouncedContent(Fixture.key(1)), now: self.start)
        let job = try #require(self.work(&schedule, at: self.start, using: &generator) { _ in nil }.jobs.first)
        _ = schedule.withdraw(Fixture.key(1), now: self.start)
        #expect(schedule.poll(now: self.start, using: &generator) == .cancel(job))
        #expect(schedule.poll(now: self.start, using: &generator) == nil, "one at a time")
        schedule.finished(job, outcome: .timedOut, duration: .zero, now: self.start, using: &generator)
        let (jobs, reports) = self.work(&schedule, at: self.start, using: &generator)
        #expect(jobs.map(\.isWithdrawal) == [true] && reports.count == 1)
        #expect(schedule.report(Fixture.key(1)) == nil)
        // And the other way round.
        _ = schedule.withdraw(Fixture.key(1), now: self.start)
        let withdrawal = try #require(self.work(&schedule, at: self.start, using: &generator) { _ in nil }.jobs.first)
        #expect(withdrawal.isWithdrawal)
        _ = schedule.announce(AnnouncedContent(Fixture.key(1)), now: self.start)
        #expect(schedule.poll(now: self.start, using: &generator) == .cancel(withdrawal))
        schedule.finished(withdrawal, outcome: .withdrawn, duration: .zero, now: self.start, using: &generator)
        #expect(self.work(&schedule, at: self.start, using: &generator).jobs.map(\.isWithdrawal) == [false])
        #expect(schedule.isAnnounced(Fixture.key(1)) && schedule.report(Fixture.key(1))?.isTaken == true)
    }

    @Test("announced again with another port, everybody hears the last one")
    func change() throws {
        var generator = SeededGenerator(seed: 9)
        var schedule = self.schedule([.pex])
        _ = schedule.announce(AnnouncedContent(Fixture.key(1), port: 1), now: self.start)
        let first = try #require(self.work(&schedule, at: self.start, using: &generator) { _ in nil }.jobs.first)
        for port in 2...9 { _ = schedule.announce(AnnouncedContent(Fixture.key(1), port: UInt16(port)), now: self.start) }
        schedule.finished(first, outcome: .taken(by: 1), duration: .zero, now: self.start, using: &generator)
        let (jobs, reports) = self.work(&schedule, at: self.start, using: &generator)
        #expect(jobs.map(\.content.port) == [9] && reports.count == 1 && schedule.announcedCount == 1)
    }

    @Test("what is announced in the background is left to those that can, and paced for the others")
    func background() throws {
        var generator = SeededGenerator(seed: 10)
        var schedule = self.schedule([.dht, .pex], keeping: [.dht]) { $0.announcementRate = 10 }
        let contents = (0..<100).map { AnnouncedContent(Fixture.key($0)) }
        let isTaken = schedule.announce(all: contents, isTakenOver: { $0 == 0 }, now: self.start)
        #expect(isTaken)
        var count = 0
        var now = self.start
        while now < self.start + .seconds(20), count < 100 {
            let jobs = self.work(&schedule, at: now, using: &generator).jobs
            #expect(jobs.allSatisfy { $0.mechanism == 1 })
            count += jobs.count
            if count < 100 { now = try self.deadline(&schedule, now) }
        }
        #expect(count == 100)
        #expect(now > self.start + .seconds(8) && now < self.start + .seconds(10))
        #expect(schedule.report(Fixture.key(7))?.entries.map(\.outcome) == [.inBackground, .taken(by: 2)])
        // Somebody who waits does not wait for the others.
        _ = schedule.announce(AnnouncedContent(Fixture.key(500)), now: now)
        #expect(self.work(&schedule, at: now, using: &generator).jobs.map(\.content.key) == [Fixture.key(500), Fixture.key(500)])
    }

    @Test("a mechanism does so many things at a time, and with too many that never return, nothing more")
    func stuck() {
        var generator = SeededGenerator(seed: 11)
        var schedule = self.schedule([.gun, .pex]) {
            $0.announcementParallelism = 4
            $0.maximumUnreturnedOperations = 6
        }
        for number in 0..<30 { _ = schedule.announce(AnnouncedContent(Fixture.key(number)), now: self.start) }
        var started: [Schedule.Job] = []
        var reports = 0
        var now = self.start
        for _ in 0..<20 {
            let result = self.work(&schedule, at: now, using: &generator) { $0.mechanism == 1 ? .taken(by: 1) : nil }
            let stuck = result.jobs.filter { $0.mechanism == 0 }
            #expect(stuck.count <= 4)
            started += stuck
            reports += result.reports.count
            now += .seconds(1)
            for job in stuck { schedule.finished(job, outcome: .timedOut, duration: .seconds(1), now: now, using: &generator) }
        }
        #expect(started.count < 10 && schedule.unreturnedCount(0) == started.count)
        #expect(reports == 30, "everybody gets an answer")
        #expect(schedule.reports.allSatisfy { $0.takenBy == [.pex] })
        for job in started { schedule.returned(job) }
        now += .seconds(3_600)
        #expect(self.work(&schedule, at: now, using: &generator).jobs.contains { $0.mechanism == 0 })
    }

    @Test("there is a limit to what is announced")
    func limit() {
        var schedule = self.schedule { $0.maximumAnnouncements = 3 }
        for number in 0..<3 { #expect(schedule.announce(AnnouncedContent(Fixture.key(number)), now: self.start) != nil) }
        #expect(schedule.announce(AnnouncedContent(Fixture.key(3)), now: self.start) == nil)
        #expect(schedule.announce(AnnouncedContent(Fixture.key(2)), now: self.start) != nil)
        let two = [AnnouncedContent(Fixture.key(2)), AnnouncedContent(Fixture.key(4))]
        let isTaken = schedule.announce(all: two, isTakenOver: { _ in false }, now: self.start)
        #expect(!isTaken)
        #expect(schedule.announcedCount == 3)
    }

    @Test("20,000 contents are announced without a look at each of them every time")
    func many() {
        var generator = SeededGenerator(seed: 12)
        var schedule = self.schedule([.pex, .dht], keeping: [.dht]) {
            $0.announcementRate = 100_000
            $0.announcementParallelism = 100_000
        }
        let isTaken = schedule.announce(all: (0..<20_000).map { AnnouncedContent(Fixture.key($0)) }, isTakenOver: { $0 == 1 }, now: self.start)
        let jobs = self.work(&schedule, at: self.start, using: &generator).jobs
        #expect(isTaken && jobs.count == 20_000)
        // Somebody comes by, a thousand times.
        for second in 1...1_000 {
            schedule.announceAgain(everything: false, at: self.start + .seconds(second))
            let deadline = schedule.deadline(now: self.start + .seconds(second))
            #expect(deadline.map { $0 > self.start + .seconds(1_400) } ?? false)
        }
    }

    @Test("whatever is announced and withdrawn in whatever order, at most one job for each is under way, and the last word stands")
    func random() {
        for seed in 1...100 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            var schedule = self.schedule([.pex, .gun], keeping: seed % 2 == 0 ? [.gun] : []) { $0.announcementParallelism = 3 }
            var now = self.start
            var running: [Schedule.Job] = []
            var heard: [Int: [RendezvousKey: Bool]] = [0: [:], 1: [:]]
            var wanted: [RendezvousKey: Bool] = [:]
            func drain(_ schedule: inout Schedule, _ generator: inout SeededGenerator) {
                while let output = schedule.poll(now: now, using: &generator) {
                    guard case .start(let job) = output else { continue }
                    #expect(!running.contains { $0.content.key == job.content.key && $0.mechanism == job.mechanism })
                    running.append(job)
                }
                #expect(running.count { $0.mechanism == 0 } <= 3)
            }
            func finish(_ index: Int, _ schedule: inout Schedule, _ generator: inout SeededGenerator, succeeds: Bool) {
                let job = running.remove(at: index)
                if succeeds { heard[job.mechanism]?[job.content.key] = !job.isWithdrawal }
                schedule.finished(
                    job, outcome: !succeeds ? .timedOut : job.isWithdrawal ? .withdrawn : .taken(by: 1), duration: .zero, now: now, using: &generator)
                schedule.returned(job)
            }
            for _ in 0..<200 {
                now += .milliseconds(Int.random(in: 0...20_000, using: &generator))
                let key = Fixture.key(Int.random(in: 0..<6, using: &generator))
                switch Int.random(in: 0..<6, using: &generator) {
                case 0:
                    _ = schedule.announce(AnnouncedContent(key), now: now)
                    wanted[key] = true
                case 1:
                    _ = schedule.withdraw(key, now: now)
                    wanted[key] = false
                case 2: schedule.announceAgain(everything: .random(using: &generator), at: now)
                default:
                    if !running.isEmpty {
                        finish(.random(in: running.indices, using: &generator), &schedule, &generator, succeeds: .random(using: &generator))
                    }
                }
                drain(&schedule, &generator)
            }
            // From now on everything works.
            for _ in 0..<2_000 {
                while !running.isEmpty { finish(0, &schedule, &generator, succeeds: true) }
                drain(&schedule, &generator)
                guard running.isEmpty else { continue }
                if wanted.allSatisfy({ key, isWanted in (0...1).allSatisfy { (heard[$0]?[key] ?? false) == isWanted } }) { break }
                guard let deadline = schedule.deadline(now: now) else { break }
                now = max(now, deadline)
                drain(&schedule, &generator)
            }
            for (key, isWanted) in wanted {
                #expect(schedule.isAnnounced(key) == isWanted, "seed \(seed)")
                for mechanism in 0...1 { #expect((heard[mechanism]?[key] ?? false) == isWanted, "seed \(seed)") }
            }
        }
    }
}
