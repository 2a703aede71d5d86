import DIGIdentity
import DIGTestSupport
import Testing

@testable import DIGGossipSub

@Suite("Gossipsub peer scores")
struct PeerScoresTests {
    private let start = ContinuousClock.now
    private var generator = SeededGenerator(seed: 5)
    private let peer: PeerID

    init() throws { self.peer = try .random(using: &self.generator) }

    private func make(_ configure: (inout PeerScoreParameters) -> Void = { _ in }) -> PeerScores {
        var parameters = PeerScoreParameters()
        parameters.topicScoreCap = 0
        // One part at a time.
        parameters.defaultTopic.timeInMeshWeight = 0
        parameters.defaultTopic.firstMessageDeliveriesWeight = 0
        parameters.defaultTopic.invalidMessageDeliveriesWeight = 0
        configure(&parameters)
        var scores = PeerScores(parameters: parameters, now: self.start)
        scores.connected(self.peer, network: nil)
        return scores
    }

    @Test("P₁ counts the time in the mesh, up to a cap")
    func timeInMesh() {
        var scores = self.make {
            $0.defaultTopic.timeInMeshWeight = 0.5
            $0.defaultTopic.timeInMeshQuantum = .seconds(2)
            $0.defaultTopic.timeInMeshCap = 10
            $0.defaultTopic.topicWeight = 3
        }
        scores.grafted(self.peer, topic: "t", now: self.start)
        scores.advance(to: self.start + .seconds(8))
        #expect(scores.score(of: self.peer) == 4 * 0.5 * 3)
        scores.advance(to: self.start + .seconds(60))
        #expect(scores.score(of: self.peer) == 10 * 0.5 * 3)
        scores.pruned(self.peer, topic: "t")
        #expect(scores.score(of: self.peer) == 0)
    }

    @Test("P₂ counts first deliveries up to a cap, and fades")
    func firstDeliveries() {
        var scores = self.make {
            $0.defaultTopic.firstMessageDeliveriesWeight = 2
            $0.defaultTopic.firstMessageDeliveriesCap = 5
            $0.defaultTopic.firstMessageDeliveriesDecay = 0.5
        }
        for _ in 0..<3 { scores.deliveredFirst(self.peer, topic: "t") }
        #expect(scores.score(of: self.peer) == 6)
        for _ in 0..<9 { scores.deliveredFirst(self.peer, topic: "t") }
        #expect(scores.score(of: self.peer) == 10)
        scores.advance(to: self.start + .seconds(1))
        #expect(scores.score(of: self.peer) == 5)
        scores.advance(to: self.start + .seconds(30))
        #expect(scores.score(of: self.peer) == 0)
    }

    @Test("P₃ is the square of what is missing, once the peer has been there for long enough; P₃b stays after the PRUNE")
    func deliveryDeficit() {
        var scores = self.make {
            $0.defaultTopic.meshMessageDeliveriesWeight = -1
            $0.defaultTopic.meshMessageDeliveriesThreshold = 10
            $0.defaultTopic.meshMessageDeliveriesActivation = .seconds(5)
            $0.defaultTopic.meshMessageDeliveriesDecay = 0.999_999
            $0.defaultTopic.meshFailurePenaltyWeight = -2
            $0.defaultTopic.meshFailurePenaltyDecay = 0.5
        }
        scores.grafted(self.peer, topic: "t", now: self.start)
        scores.deliveredFirst(self.peer, topic: "t")
        for _ in 0..<3 { scores.deliveredNearFirst(self.peer, topic: "t") }
        scores.advance(to: self.start + .seconds(5))
        #expect(scores.score(of: self.peer) == 0)
        scores.advance(to: self.start + .seconds(6))
        #expect(abs(scores.score(of: self.peer) + 36) < 0.01)
        scores.pruned(self.peer, topic: "t")
        #expect(abs(scores.score(of: self.peer) + 72) < 0.01)
        scores.advance(to: self.start + .seconds(7))
        #expect(abs(scores.score(of: self.peer) + 36) < 0.01)
    }

    @Test("P₄ is the square of the invalid messages; the cap on topics does not hide it")
    func invalid() {
        var scores = self.make {
            $0.defaultTopic.invalidMessageDeliveriesWeight = -10
            $0.topicScoreCap = 5
            $0.defaultTopic.firstMessageDeliveriesWeight = 1
        }
        for _ in 0..<20 { scores.deliveredFirst(self.peer, topic: "t") }
        #expect(scores.score(of: self.peer) == 5)
        for _ in 0..<3 { scores.deliveredInvalid(self.peer, topic: "t") }
        #expect(scores.score(of: self.peer) == 20 - 90)
    }

    @Test("P₅ is the application's; an answer that is no number is the worst")
    func application() {
        var scores = self.make {
            $0.applicationScore = { _ in 7 }
            $0.applicationScoreWeight = 2
        }
        #expect(scores.score(of: self.peer) == 14)
        scores = self.make { $0.applicationScore = { _ in .nan } }
        #expect(scores.score(of: self.peer) == -.infinity)
    }

    @Test("P₆ is the square of the peers too many at one address, and ends when they leave")
    func colocation() throws {
        var generator = self.generator
        var scores = self.make {
            $0.colocationThreshold = 3
            $0.colocationWeight = -1
        }
        var peers: [PeerID] = []
        for _ in 0..<5 { peers.append(try .random(using: &generator)) }
        for peer in peers { scores.connected(peer, network: "1.2.3.4") }
        scores.connected(self.peer, network: "1.2.3.5")
        #expect(peers.allSatisfy { scores.score(of: $0) == -4 } && scores.score(of: self.peer) == 0)
        // Twice the same is one.
        scores.connected(peers[0], network: "1.2.3.4")
        #expect(scores.score(of: peers[0]) == -4)
        scores.disconnected(peers[0], now: self.start)
        #expect(scores.score(of: peers[1]) == -1)
    }

    @Test("P₇ is the square of the offences above those that are forgiven, and fades")
    func behaviour() {
        var scores = self.make {
            $0.behaviourPenaltyThreshold = 2
            $0.behaviourPenaltyWeight = -10
            $0.behaviourPenaltyDecay = 0.5
        }
        for _ in 0..<2 { scores.misbehaved(self.peer) }
        #expect(scores.score(of: self.peer) == 0)
        scores.misbehaved(self.peer, 3)
        #expect(scores.score(of: self.peer) == -90)
        scores.advance(to: self.start + .seconds(1))
        #expect(scores.score(of: self.peer) == -2.5)
    }

    @Test("leaving and coming back keeps a bad score as it was and loses a good one; after an hour it is forgotten")
    func retention() {
        var scores = self.make {
            $0.defaultTopic.firstMessageDeliveriesWeight = 1
            $0.defaultTopic.invalidMessageDeliveriesWeight = -1
        }
        scores.deliveredFirst(self.peer, topic: "t")
        scores.disconnected(self.peer, now: self.start)
        #expect(scores.count == 0)
        scores.connected(self.peer, network: nil)
        for _ in 0..<10 { scores.deliveredInvalid(self.peer, topic: "t") }
        scores.deliveredFirst(self.peer, topic: "t")
        scores.disconnected(self.peer, now: self.start)
        scores.advance(to: self.start + .seconds(1800))
        scores.connected(self.peer, network: nil)
        #expect(scores.score(of: self.peer) == -100)
        scores.disconnected(self.peer, now: self.start + .seconds(1800))
        scores.advance(to: self.start + .seconds(1800 + 3600))
        #expect(scores.count == 0 && scores.score(of: self.peer) == 0)
    }

    @Test("only so many peers that have left are remembered")
    func bounded() throws {
        var generator = self.generator
        var scores = self.make { $0.maximumRetainedPeers = 10 }
        for _ in 0..<1000 {
            let peer = try PeerID.random(using: &generator)
            scores.connected(peer, network: nil)
            scores.misbehaved(peer, 100)
            scores.disconnected(peer, now: self.start)
        }
        #expect(scores.count == 11)
    }

    @Test("a topic that is left counts no more")
    func forgotten() {
        var scores = self.make { $0.defaultTopic.invalidMessageDeliveriesWeight = -1 }
        scores.deliveredInvalid(self.peer, topic: "t")
        scores.forget(topic: "t")
        #expect(scores.score(of: self.peer) == 0)
    }

    @Test("the factors for a time take 1 to 1 % in it")
    func decay() {
        var value = 1.0
        for _ in 0..<600 { value *= PeerScoreParameters.decay(over: .seconds(600)) }
        #expect(abs(value - 0.01) < 0.000_1)
        #expect(PeerScoreParameters.decay(over: .zero) == 0.01)
    }

    @Test("parameters of the wrong sign, and thresholds out of order, are found")
    func validation() throws {
        func isValid(_ change: (inout GossipSubConfiguration) -> Void) -> Bool {
            var configuration = GossipSubConfiguration()
            change(&configuration)
            do throws(GossipSubError) { try configuration.validate() } catch {
                #expect(error.code == .invalidConfiguration)
                return false
            }
            return true
        }
        #expect(isValid { _ in })
        #expect(isValid { ($0.meshDegree, $0.minimumMeshDegree, $0.maximumMeshDegree, $0.outboundMeshDegree) = (0, 0, 0, 0) })
        #expect(!isValid { $0.minimumMeshDegree = 7 })
        #expect(!isValid { $0.maximumMeshDegree = 5 })
        #expect(!isValid { $0.outboundMeshDegree = 4 })
        #expect(!isValid { $0.scoredMeshDegree = 7 })
        #expect(!isValid { $0.gossipFactor = 1.5 })
        #expect(!isValid { $0.historyGossip = 6 })
        #expect(!isValid { $0.heartbeatInterval = .zero })
        #expect(!isValid { $0.maximumMessageByteCount = 1 << 20 })
        #expect(!isValid { $0.thresholds.gossip = 0 })
        #expect(!isValid { $0.thresholds.publish = -1 })
        #expect(!isValid { $0.thresholds.graylist = -400 })
        #expect(!isValid { $0.score.defaultTopic.invalidMessageDeliveriesWeight = 1 })
        #expect(!isValid { $0.score.topics["x"] = TopicScoreParameters(); $0.score.topics["x"]?.firstMessageDeliveriesDecay = 1 })
        #expect(!isValid { $0.score.behaviourPenaltyWeight = 1 })
        #expect(!isValid { $0.score.colocationThreshold = 0 })
    }
}
