import DIGIdentity
import DIGTestSupport
import Synchronization
import Testing

@testable import DIGPeerExchange

@Suite("A mesh forms", .timeLimit(.minutes(10)))
struct MeshTests {
    /// How the nodes begin: each knows one other, the first none.
    enum Beginning: CaseIterable {
        case line, star, chance

        func acquaintance(of index: Int, using generator: inout SeededGenerator) -> Int {
            switch self {
            case .line: index - 1
            case .star: 0
            case .chance: Int.random(in: 0..<index, using: &generator)
            }
        }
    }

    @Test(
        "of 20 nodes that begin with one other each, all have eight connections and know 15 others within 5 rounds of 30 s, and nearly all within 15",
        arguments: Beginning.allCases, [1, 2])
    func mesh(beginning: Beginning, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var mesh = try SimulatedMesh(20, seed: seed)
        for index in 1..<20 { mesh.connect(beginning.acquaintance(of: index, using: &generator), index) }
        mesh.run(for: .seconds(150))
        let known = (0..<20).map { mesh.known(by: $0).count }
        let connected = mesh.nodes.map(\.connected.count)
        #expect(known.allSatisfy { $0 >= 15 }, "\(known)")
        #expect(connected.allSatisfy { $0 >= 8 }, "\(connected)")
        mesh.run(for: .seconds(300))
        let later = (0..<20).map { mesh.known(by: $0).count }
        #expect(later.allSatisfy { $0 >= 17 }, "\(later)")
        // Whoever is taken out, the others still hang together.
        for index in 0..<20 { #expect(mesh.reached(from: index == 0 ? 1 : 0, without: index) == 19) }
        for node in mesh.nodes {
            let statistics = node.responder.state.withLock { $0.statistics }
            #expect(statistics.refusedRequests == 0 && statistics.restarts == 0 && statistics.dialsStarted <= 24)
        }
        // In the end there is nothing more to say.
        mesh.run(for: .seconds(300))
        let before = mesh.messageCount
        mesh.run(for: .seconds(60))
        #expect(mesh.messageCount == before)
    }

    @Test("without dialing nothing travels farther than from a peer's neighbour: each knows its neighbours and theirs")
    func firstHandOnly() throws {
        var mesh = try SimulatedMesh(12, seed: 4) { $0.connectsToLearnedPeers = false }
        for index in 1..<12 { mesh.connect(index - 1, index) }
        mesh.run(for: .seconds(600))
        for index in 0..<12 {
            #expect(mesh.known(by: index) == Set((index - 2...index + 2).filter { $0 != index && (0..<12).contains($0) }))
        }
        #expect(mesh.nodes.map(\.connected.count).reduce(0, +) == 22)
    }

    @Test("a mesh survives the loss of half its nodes, the first among them, and forgets them")
    func loss() throws {
        var mesh = try SimulatedMesh(20, seed: 5)
        for index in 1..<20 { mesh.connect(0, index) }
        mesh.run(for: .seconds(300))
        for index in 0..<10 { mesh.kill(index) }
        // Five minutes for those who met them, ten for those who heard of them, and the rounds in between.
        mesh.run(for: .seconds(1100))
        for index in 10..<20 {
            #expect(mesh.known(by: index) == Set((10..<20).filter { $0 != index }))
            #expect(mesh.nodes[index].connected.count >= 8)
        }
    }
}
