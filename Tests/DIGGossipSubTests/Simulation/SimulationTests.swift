import Testing

@testable import DIGGossipSub

@Suite("Gossipsub simulation", .serialized, .timeLimit(.minutes(4)))
struct SimulationTests {
    private func run(_ name: String, _ configure: (inout SimulatedNetwork.Settings) -> Void) throws -> SimulatedNetwork.Outcome {
        var settings = SimulatedNetwork.Settings()
        configure(&settings)
        var network = try SimulatedNetwork(settings)
        let outcome = try network.run()
        func percent(_ share: Double) -> Double { (share * 10_000).rounded() / 100 }
        print(
            """
            gossipsub, \(name): seed \(settings.seed), \(settings.nodeCount) nodes, \(settings.messageCount) messages, reach \(percent(outcome.reach)) % \
            (worst \(percent(outcome.worstReach)) %), delay \(outcome.medianDelay) ms (worst \(outcome.worstDelay) ms), \
            \((outcome.duplicatesPerDelivery * 100).rounded() / 100) copies too many, mesh \(outcome.meshDegrees), \(outcome.sentRPCs) RPCs
            """)
        return outcome
    }

    @Test("in a quiet network of 100 every message gets to every node")
    func quiet() throws {
        let outcome = try self.run("quiet") { _ in }
        #expect(outcome.worstReach == 1 && outcome.graylistedPairs == 0)
        #expect(outcome.meshDegrees.lowerBound >= 4 && outcome.meshDegrees.upperBound <= 14)
        #expect(outcome.worstDelay < 2000 && outcome.duplicatesPerDelivery < 10)
    }

    @Test("with a tenth of all RPCs lost, each message gets to 99 % of the nodes", arguments: [1, 2] as [UInt64])
    func loss(_ seed: UInt64) throws {
        let outcome = try self.run("10 % lost") {
            $0.loss = 0.1
            $0.seed = seed
        }
        #expect(outcome.worstReach >= 0.99 && outcome.graylistedPairs == 0)
    }

    @Test("a fifth of the nodes drop everything: the others still get 99 %, also with losses and without flooding", arguments: [1, 2] as [UInt64])
    func droppers(_ seed: UInt64) throws {
        let outcome = try self.run("20 % droppers, 5 % lost, no flooding") {
            $0.dropperShare = 0.2
            $0.floodsOwnMessages = false
            $0.loss = 0.05
            $0.seed = seed
        }
        #expect(outcome.worstReach >= 0.99 && outcome.graylistedPairs == 0)
    }

    @Test("half of 60 nodes drop everything, and publishers send to their mesh only: gossip finds a way around")
    func manyDroppers() throws {
        let outcome = try self.run("50 % droppers, 5 % lost, no flooding") {
            $0.nodeCount = 60
            $0.dropperShare = 0.5
            $0.loss = 0.05
            $0.floodsOwnMessages = false
        }
        #expect(outcome.reach >= 0.99)
    }
}
