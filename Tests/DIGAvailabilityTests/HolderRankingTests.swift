import Testing

@testable import DIGAvailability

@Suite("Ranking of holders")
struct HolderRankingTests {
    private let good = ReputationScore(success: 0.9, quality: 0.9, stability: 0.9, rate: 4_194_304)
    private let bad = ReputationScore(success: 0.2, quality: 0.5, stability: 0.5, rate: nil)

    private func order(_ candidates: [HolderCandidate], salt: UInt64 = 0) -> [HolderCandidate] { HolderRanking.rank(candidates, salt: salt) }

    @Test("available before suspect, unavailable not at all, and who has disappointed stands with the suspect")
    func groups() {
        let suspect = HolderCandidate(Scene.peer(1), status: .suspect, reputation: self.good, isLocal: true, path: .connected)
        let available = HolderCandidate(Scene.peer(2))
        let unavailable = HolderCandidate(Scene.peer(3), status: .unavailable, reputation: self.good)
        let doubtful = HolderCandidate(Scene.peer(4), reputation: self.bad)
        #expect(self.order([suspect, doubtful, unavailable, available]).map(\.peer) == [available.peer, suspect.peer, doubtful.peer])
        #expect(self.order([]).isEmpty)
        #expect(self.order([unavailable]).isEmpty)
    }

    @Test("a suspect holder that has proven it here stands among the available, unless the seed is taken to the letter")
    func proven() {
        let proven = HolderCandidate(Scene.peer(1), status: .suspect, reputation: self.good, hasProven: true)
        let plain = HolderCandidate(Scene.peer(2))
        let better = HolderCandidate(Scene.peer(3), reputation: self.good, isLocal: true)
        #expect(self.order([plain, proven, better]).map(\.peer) == [better.peer, proven.peer, plain.peer])
        #expect(HolderRanking.rank([plain, proven, better], isLiteral: true).map(\.peer) == [better.peer, plain.peer, proven.peer])
        #expect(self.order([HolderCandidate(Scene.peer(4), status: .unavailable, hasProven: true)]).isEmpty)
    }

    @Test("each key moves a holder in its direction")
    func keys() {
        let plain = HolderCandidate(Scene.peer(1))
        var better = HolderCandidate(Scene.peer(2))
        for change: (inout HolderCandidate) -> Void in [
            { $0.reputation = self.good }, { $0.isLocal = true }, { $0.path = .connected }, { $0.path = .direct }, { $0.nat = .none }, { $0.nat = .endpointIndependent },
            { $0.latency = .milliseconds(20) },
        ] {
            better = HolderCandidate(Scene.peer(2))
            change(&better)
            #expect(HolderRanking.score(better) > HolderRanking.score(plain))
            #expect(self.order([plain, better]).first == better)
        }
        for change: (inout HolderCandidate) -> Void in [{ $0.reputation = self.bad }, { $0.path = .relayed }, { $0.nat = .symmetric }, { $0.latency = .seconds(1) }] {
            better = HolderCandidate(Scene.peer(2))
            change(&better)
            #expect(HolderRanking.score(better) < HolderRanking.score(plain))
        }
    }

    @Test("the score is what the documentation says")
    func score() {
        #expect(abs(HolderRanking.score(HolderCandidate(Scene.peer(1))) - (0.6 * 0.5 + 0.1 * 0.5 + 0.1 * 0.5 + 0.05 * 0.5)) < 1e-12)
        let best = HolderCandidate(
            Scene.peer(1), reputation: ReputationScore(success: 1, quality: 1, stability: 1, rate: .infinity), isLocal: true, path: .connected, nat: HolderCandidate.NAT.none, latency: .zero)
        // An infinite rate has no speed; a great one has nearly 1.
        var fast = best
        fast.reputation.rate = 1e18
        #expect(abs(HolderRanking.score(fast) - 1) < 1e-6)
    }

    @Test("equal holders are in one order on one node, in another on another, whatever order they come in")
    func ties() {
        let candidates = (0..<20).map { HolderCandidate(Scene.peer($0)) }
        let first = self.order(candidates, salt: 1)
        #expect(self.order(candidates.reversed(), salt: 1) == first)
        #expect(Set((0..<10).map { self.order(candidates, salt: $0).first?.peer }).count > 3)
    }
}
