import DIGAnnouncement
import DIGContent
import DIGIdentity
import Foundation
import Testing

@testable import DIGAvailability

/// 200 peers in virtual time: 30 % claim what they lack, 20 % report honest holders, the rest share and fetch. Half of the honest ones are watched: each keeps
/// a table of its own, hears all announcements and reports, asks for proofs, and fetches a content every three minutes.
///
/// Liars take up a new claim every ten minutes. Slanderers agree on three holders a minute, of contents that are fetched, and report them at the same time; or they
/// scatter, and each reports whom it likes, so that nearly all holders are suspect nearly always.
private struct Simulation {
    struct Result: CustomStringConvertible {
        var downloads = 0
        var successes = 0
        var attempts = 0
        var proofs = 0
        var success: Double { 100 * Double(self.successes) / Double(max(1, self.downloads)) }
        var attemptsEach: Double { Double(self.attempts) / Double(max(1, self.downloads)) }
        private static func text(_ value: Double) -> String { String((value * 1_000).rounded() / 1_000) }
        var description: String { "\(self.downloads) downloads, \(Self.text(self.success)) % succeed, \(Self.text(self.attemptsEach)) attempts each, \(self.proofs) proofs asked" }
    }

    let slandererFactor: Int
    let hasLiars: Bool
    var scatters = false
    let seed: UInt64

    func run(minutes: Int = 90, steadyFrom: Int = 45) throws -> Result {
        var generator = SplitMix64(self.seed)
        let honest = (0..<100).map(Scene.peer)
        let liars = self.hasLiars ? (100..<160).map(Scene.peer) : []
        let slanderers = (0..<(40 * self.slandererFactor)).map { Scene.peer(1_000 + $0) }
        let contents = (0..<40).map(Scene.content)
        let observers = 50
        var tables = (0..<observers).map { AvailabilityTable(seed: self.seed &+ UInt64($0)) }
        var holders: [ContentHash: Set<PeerID>] = [:]
        for content in contents { for peer in honest.shuffled(using: &generator).prefix(6) { holders[content, default: []].insert(peer) } }
        var claims = liars.map { _ in (0..<3).map { _ in Int.random(in: 0..<40, using: &generator) } }
        var result = Result()

        func announce(_ peer: PeerID, _ content: ContentHash, _ now: UInt64) {
            for index in tables.indices where honest[index] != peer { try? tables[index].announced(Scene.announcement(peer, content, at: now), nowMilliseconds: now) }
        }
        func tell(_ report: AvailabilityReport, _ now: UInt64) {
            for index in tables.indices where honest[index] != report.reporter && honest[index] != report.reported { _ = try? tables[index].reported(report, nowMilliseconds: now) }
        }

        for minute in 0..<minutes {
            let now = Scene.now + UInt64(minute) * Scene.minute
            if minute % 30 == 0 {
                for content in contents { for peer in holders[content, default: []].sorted() { announce(peer, content, now) } }
                for (liar, claimed) in zip(liars, claims) { for content in Set(claimed).sorted() { announce(liar, contents[content], now) } }
            }
            for index in liars.indices where (minute + index) % 10 == 9 {
                claims[index][Int.random(in: 0..<3, using: &generator)] = Int.random(in: 0..<40, using: &generator)
                for content in Set(claims[index]).sorted() { announce(liars[index], contents[content], now) }
            }
            // Slander.
            let targets = (0..<(self.scatters ? 1_000 : 3)).compactMap { _ -> (PeerID, ContentHash)? in
                guard let content = contents.randomElement(using: &generator), let peer = holders[content]?.sorted().randomElement(using: &generator) else { return nil }
                return (peer, content)
            }
            for slanderer in slanderers where Int.random(in: 0..<4, using: &generator) == 0 {
                guard let (peer, content) = targets.randomElement(using: &generator) else { continue }
                tell(Scene.report(by: slanderer, peer, content, at: now), now)
            }
            // Proofs: eight at a time, at seven seconds each.
            for index in tables.indices {
                for request in tables[index].nextVerifications(limit: 64, nowMilliseconds: now) {
                    result.proofs += 1
                    tables[index].verified(request, outcome: holders[request.content]?.contains(request.peer) == true ? .proved : .disproved, nowMilliseconds: now)
                }
            }
            // Downloads.
            for index in tables.indices where (minute + index) % 3 == 0 {
                guard let content = contents.randomElement(using: &generator), holders[content]?.contains(honest[index]) != true else { continue }
                tables[index].watch(content, nowMilliseconds: now)
                let candidates = tables[index].holders(of: content, nowMilliseconds: now).filter(\.isClaimed)
                    .map {
                        HolderCandidate(
                            $0.peer, status: $0.status, reputation: $0.reputation, hasProven: tables[index].hasProven($0.peer, content, nowMilliseconds: now))
                    }
                var attempts = 0
                var isDone = false
                for candidate in HolderRanking.rank(candidates, salt: UInt64(index)).prefix(5) {
                    attempts += 1
                    if holders[content]?.contains(candidate.peer) == true {
                        tables[index].experienced(.transferred(byteCount: 1 << 20, over: .seconds(1)), of: candidate.peer, content: content, nowMilliseconds: now)
                        isDone = true
                        break
                    }
                    tables[index].experienced(.missing, of: candidate.peer, content: content, nowMilliseconds: now)
                    tell(Scene.report(by: honest[index], candidate.peer, content, at: now), now)
                }
                guard minute >= steadyFrom else { continue }
                result.downloads += 1
                result.successes += isDone ? 1 : 0
                result.attempts += attempts
            }
        }
        return result
    }
}

@Suite("200 peers, of which a third lies and a fifth slanders", .serialized, .timeLimit(.minutes(10)))
struct AvailabilitySimulationTests {
    @Test("honest downloads succeed at once, and ten times the slanderers change it by less than two points")
    func simulation() throws {
        // Another seed by hand: DIG_SIMULATION_SEED.
        let seed = ProcessInfo.processInfo.environment["DIG_SIMULATION_SEED"].flatMap { UInt64($0) } ?? 42
        let peaceful = try Simulation(slandererFactor: 0, hasLiars: false, seed: seed).run()
        let hostile = try Simulation(slandererFactor: 1, hasLiars: true, seed: seed).run()
        let sybil = try Simulation(slandererFactor: 10, hasLiars: true, seed: seed).run()
        let scattered = try Simulation(slandererFactor: 10, hasLiars: true, scatters: true, seed: seed).run()
        print("simulation, seed \(seed): nobody lies:                        \(peaceful)")
        print("simulation, seed \(seed): 60 liars, 40 slanderers:            \(hostile)")
        print("simulation, seed \(seed): 60 liars, 400 slanderers:           \(sybil)")
        print("simulation, seed \(seed): 60 liars, 400 slanderers scattered: \(scattered)")
        #expect(hostile.success >= 99)
        #expect(hostile.attemptsEach <= 1.3)
        #expect(abs(hostile.success - sybil.success) < 2)
        #expect(abs(hostile.success - scattered.success) < 2)
        #expect(sybil.success >= 99)
        #expect(sybil.attemptsEach <= 1.3 && scattered.attemptsEach <= 1.3)
        #expect(peaceful.success == 100 && peaceful.attemptsEach == 1)
    }
}
