import DIGIdentity
import Testing

@testable import DIGCircuitRelay

@Suite("shares of the relay's rate")
struct RateAllocatorTests {
    private typealias Flow = RateAllocator.Flow
    private let peers: [PeerID]

    init() throws {
        self.peers = try (0..<8).map { index in
            try PeerID(bytes: [0x00, 0x24, 0x08, 0x01, 0x12, 0x20] + [UInt8](repeating: UInt8(index), count: 32))
        }
    }

    /// Runs flows for a while: each carries as much as it may of what it has, `demand` bytes each second (nil: always more), in pieces.
    private func carried(
        _ allocator: inout RateAllocator, _ flows: [(source: Int, target: Int, demand: Double?)], seconds: Double, piece: Int = 16 * 1024
    ) -> [Int] {
        let tick = 0.05
        var balances = [Int](repeating: RateAllocator.idleByteCount, count: flows.count)
        var backlog = [Double](repeating: 0, count: flows.count)
        var carried = [Int](repeating: 0, count: flows.count)
        for _ in 0..<Int(seconds / tick) {
            var waiting = [Bool](repeating: false, count: flows.count)
            for index in flows.indices {
                backlog[index] = flows[index].demand.map { backlog[index] + $0 * tick } ?? .infinity
                while balances[index] > 0, backlog[index] >= 1 {
                    let count = min(piece, backlog[index].isFinite ? Int(backlog[index]) : piece)
                    balances[index] -= count
                    backlog[index] -= Double(count)
                    carried[index] += count
                }
                waiting[index] = backlog[index] >= 1
            }
            let shares = allocator.allocate(
                elapsed: .seconds(tick),
                among: flows.indices.map { index in
                    Flow(
                        source: self.peers[flows[index].source], target: self.peers[flows[index].target], balance: balances[index],
                        isWaiting: waiting[index])
                })
            for index in flows.indices { balances[index] += shares[index] }
        }
        return carried
    }

    @Test("100 directions that always want more get the same, and together the rate")
    func fair() {
        var allocator = RateAllocator(total: 10_000_000, perPeer: nil, perFlow: nil)
        let carried = self.carried(&allocator, (0..<100).map { _ in (0, 1, nil) }, seconds: 60)
        let sum = carried.reduce(0, +)
        #expect(abs(sum - 600_000_000) < 20_000_000, "\(sum)")
        #expect(carried.allSatisfy { abs($0 - sum / 100) < 200_000 }, "\(carried.min() ?? 0)…\(carried.max() ?? 0)")
    }

    @Test("those that want little get it, the rest is for those that want more")
    func maxMin() {
        var allocator = RateAllocator(total: 1_000_000, perPeer: nil, perFlow: nil)
        let carried = self.carried(&allocator, [(0, 1, 100_000), (2, 3, nil), (4, 5, nil)], seconds: 60)
        #expect(abs(carried[0] - 6_000_000) < 300_000, "\(carried)")
        #expect(abs(carried[1] - 27_000_000) < 1_500_000, "\(carried)")
        #expect(abs(carried[1] - carried[2]) < 300_000, "\(carried)")
    }

    @Test("a peer's circuits share the peer's rate, others are not slowed down by it")
    func perPeer() {
        var allocator = RateAllocator(total: 3_000_000, perPeer: 1_000_000, perFlow: nil)
        // Peer 0 has four circuits, the others one.
        let carried = self.carried(&allocator, [(0, 1, nil), (0, 2, nil), (0, 3, nil), (4, 0, nil), (5, 6, nil)], seconds: 60)
        let ofPeer = carried[0..<4].reduce(0, +)
        #expect(abs(ofPeer - 60_000_000) < 3_000_000, "\(carried)")
        #expect(carried[0..<4].allSatisfy { abs($0 - ofPeer / 4) < 300_000 }, "\(carried)")
        #expect(abs(carried[4] - 60_000_000) < 3_000_000, "\(carried)")
    }

    @Test("each direction keeps to its own rate")
    func perFlow() {
        var allocator = RateAllocator(total: nil, perPeer: nil, perFlow: 200_000)
        let carried = self.carried(&allocator, [(0, 1, nil), (2, 3, nil), (4, 5, 50_000)], seconds: 60)
        for count in carried[0..<2] { #expect(abs(count - 12_000_000) < 600_000, "\(carried)") }
        #expect(abs(carried[2] - 3_000_000) < 150_000, "\(carried)")
    }

    @Test("what is not used is not saved up for long")
    func burst() {
        var allocator = RateAllocator(total: 1_000_000, perPeer: nil, perFlow: nil)
        let idle = Flow(source: self.peers[0], target: self.peers[1], balance: RateAllocator.idleByteCount, isWaiting: false)
        #expect(allocator.allocate(elapsed: .seconds(3600), among: [idle]) == [0])
        let hungry = Flow(source: self.peers[0], target: self.peers[1], balance: 0, isWaiting: true)
        let share = allocator.allocate(elapsed: .milliseconds(50), among: [hungry])[0]
        #expect(share <= 250_000)
        #expect(share >= 50_000)
    }

    @Test("debts are paid before anything is carried, low rates do not starve, nothing is no error")
    func edges() {
        var allocator = RateAllocator(total: 1000, perPeer: 1000, perFlow: 1000)
        #expect(allocator.allocate(elapsed: .zero, among: []) == [])
        #expect(!RateAllocator(total: nil, perPeer: nil, perFlow: nil).isLimited)
        var slow = RateAllocator(total: 1000, perPeer: nil, perFlow: nil)
        let carried = self.carried(&slow, [(0, 1, nil), (2, 3, nil)], seconds: 1000, piece: 65_536)
        #expect(carried.reduce(0, +) <= 1_000_000 + 4 * 65_536)
        #expect(carried.allSatisfy { $0 > 300_000 }, "\(carried)")
        var negative = RateAllocator(total: 1000, perPeer: nil, perFlow: 1000)
        let flow = Flow(source: self.peers[0], target: self.peers[1], balance: -1_000_000, isWaiting: true)
        #expect(negative.allocate(elapsed: .seconds(1), among: [flow]) == [1000])
    }
}
