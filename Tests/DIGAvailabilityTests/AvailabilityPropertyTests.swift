import DIGAnnouncement
import DIGContent
import DIGIdentity
import Testing

@testable import DIGAvailability

@Suite("What reports can and cannot do")
struct AvailabilityPropertyTests {
    @Test("no sequence of reports by fewer than three identities makes a holder unavailable that passes its proofs", arguments: [1, 2])
    func fewReporters(reporterCount: Int) throws {
        let (holder, content) = (Scene.peer(0), Scene.content(0))
        for seed: UInt64 in 0..<200 {
            var generator = SplitMix64(seed)
            var configuration = AvailabilityConfiguration()
            configuration.rules.strictWhitepaper = seed % 4 == 3
            var table = AvailabilityTable(configuration: configuration, seed: seed)
            var time = Scene.now
            try table.announced(Scene.announcement(holder, content, at: time), nowMilliseconds: time)
            for step in 0..<80 {
                time += UInt64.random(in: 0...(20 * Scene.minute), using: &generator)
                switch Int.random(in: 0..<6, using: &generator) {
                case 0: try? table.announced(Scene.announcement(holder, content, at: time), nowMilliseconds: time)
                case 1: table.watch(content, nowMilliseconds: time)
                case 2:
                    for request in table.nextVerifications(limit: 8, nowMilliseconds: time) { table.verified(request, outcome: .proved, nowMilliseconds: time) }
                default:
                    let reporter = Scene.peer(1 + Int.random(in: 0..<reporterCount, using: &generator))
                    let signed = time - UInt64.random(in: 0...(5 * Scene.minute), using: &generator)
                    _ = try? table.reported(Scene.report(by: reporter, holder, content, at: signed), nowMilliseconds: time)
                }
                let status = table.status(of: holder, for: content, nowMilliseconds: time)
                #expect(status != .unavailable, "seed \(seed), step \(step)")
                guard status != .unavailable else { return }
            }
        }
    }

    @Test("a holder without proof is unavailable to everyone within two verification periods after five honest reports", arguments: [VerificationOutcome.disproved, .unanswered])
    func manyReporters(outcome: VerificationOutcome) throws {
        let (liar, content) = (Scene.peer(0), Scene.content(0))
        for seed: UInt64 in 0..<100 {
            var generator = SplitMix64(seed)
            // An observer of its own, who may have an interest in the content or not, and hears the reports in any order.
            var table = AvailabilityTable(seed: seed)
            try table.announced(Scene.announcement(liar, content, at: Scene.now), nowMilliseconds: Scene.now)
            if seed % 2 == 0 { table.watch(content, nowMilliseconds: Scene.now) }
            var times = (0..<5).map { _ in Scene.now + UInt64.random(in: 0...(15 * Scene.minute), using: &generator) }
            times.sort()
            var reporters = Array(1...5)
            reporters.shuffle(using: &generator)
            for (reporter, time) in zip(reporters, times) {
                // Those who have found it unavailable meanwhile take the rest, too.
                try table.reported(Scene.report(by: Scene.peer(reporter), liar, content, at: time), nowMilliseconds: time)
            }
            let last = times[4]
            var time = last
            let period = table.configuration.suspectInterval.millisecondCount
            while time <= last + 2 * period {
                for request in table.nextVerifications(limit: 8, nowMilliseconds: time) {
                    table.verified(request, outcome: outcome, nowMilliseconds: time + (outcome == .unanswered ? 10 * Scene.second : 0))
                }
                time += 10 * Scene.second
            }
            #expect(table.status(of: liar, for: content, nowMilliseconds: time) == .unavailable, "seed \(seed)")
        }
    }

    @Test("the bounds hold and the books agree under random use")
    func books() throws {
        for seed: UInt64 in 0..<10 {
            var generator = SplitMix64(seed)
            var configuration = AvailabilityConfiguration()
            configuration.recordLimit = 60
            configuration.reportLimit = 80
            configuration.peerLimit = 20
            configuration.watchLimit = 5
            configuration.reportsPerRecord = 4
            var table = AvailabilityTable(configuration: configuration, seed: seed)
            var time = Scene.now
            var open: [VerificationRequest] = []
            for _ in 0..<1_500 {
                time += UInt64.random(in: 0...(2 * Scene.minute), using: &generator)
                let (peer, content) = (Scene.peer(Int.random(in: 0..<15, using: &generator)), Scene.content(Int.random(in: 0..<12, using: &generator)))
                switch Int.random(in: 0..<8, using: &generator) {
                case 0, 1: try? table.announced(Scene.announcement(peer, content, at: time, isAvailable: Int.random(in: 0..<4, using: &generator) > 0), nowMilliseconds: time)
                case 2: try? table.claimed(by: peer, content: content, nowMilliseconds: time)
                case 3: table.watch(content, nowMilliseconds: time)
                case 4: open += table.nextVerifications(limit: 4, nowMilliseconds: time)
                case 5:
                    guard let request = open.popLast() else { continue }
                    table.verified(request, outcome: [.proved, .disproved, .unanswered, .postponed].randomElement(using: &generator) ?? .proved, nowMilliseconds: time)
                default: _ = try? table.reported(Scene.report(by: Scene.peer(20 + Int.random(in: 0..<30, using: &generator)), peer, content, at: time), nowMilliseconds: time)
                }
                #expect(table.count <= 60 && table.reportCount <= 80 && table.reputations.count <= 20)
            }
            let states = (0..<12).flatMap { table.holders(of: Scene.content($0), nowMilliseconds: time) }
            #expect(states.count == table.count)
            #expect(states.reduce(0) { $0 + $1.reportCount } == table.reportCount)
            // Nothing is left behind: in the end all is forgotten.
            for request in open { table.verified(request, outcome: .postponed, nowMilliseconds: time) }
            for _ in 0..<200 {
                time += Scene.hour
                for request in table.nextVerifications(limit: 100, nowMilliseconds: time) { table.verified(request, outcome: .postponed, nowMilliseconds: time) }
            }
            #expect(table.count == 0 && table.reportCount == 0)
        }
    }
}
