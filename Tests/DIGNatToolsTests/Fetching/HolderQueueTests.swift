import DIGAvailability
import DIGIdentity
import Testing

@testable import DIGNatTools

@Suite("Whom to ask next")
struct HolderQueueTests {
    let peers: [PeerID]

    init() throws { self.peers = try (0..<6).map { _ in try KeyPair.generate().peerID } }

    private func candidate(_ index: Int, _ status: PeerContentStatus = .available, hasProven: Bool = false) -> HolderCandidate {
        HolderCandidate(self.peers[index], status: status, hasProven: hasProven)
    }

    private func queue(_ indices: [Int]) -> HolderQueue {
        var queue = HolderQueue()
        for index in indices { #expect(queue.add(self.peers[index]) == true) }
        return queue
    }

    @Test("the best comes first, each once")
    func best() {
        var queue = self.queue([0, 1, 2])
        #expect(queue.add(self.peers[1]) == false)
        let ranked = [self.candidate(2), self.candidate(0), self.candidate(1)]
        #expect((0..<4).map { _ in queue.next(ranked, hasBetter: false) } == [self.peers[2], self.peers[0], self.peers[1], nil])
    }

    @Test("a suspect one waits while something better is left, unless it has proven lately")
    func doubtful() {
        var queue = self.queue([0, 1, 2])
        let ranked = [self.candidate(0), self.candidate(1, .suspect, hasProven: true), self.candidate(2, .suspect)]
        #expect(queue.next(ranked, hasBetter: true) == self.peers[0])
        var literal = queue
        #expect(literal.next(ranked, hasBetter: true, isLiteral: true) == nil)
        #expect(queue.next(ranked, hasBetter: true) == self.peers[1])
        #expect(queue.next(ranked, hasBetter: true) == nil)
        #expect(queue.waiting == [self.peers[2]])
        #expect(queue.next(ranked, hasBetter: false) == self.peers[2])
    }

    @Test("an unavailable one is left out, and waits again once it is believed")
    func leftOut() {
        var queue = self.queue([0, 1])
        #expect(queue.leaveOut(except: [self.candidate(1)]) == [self.peers[0]])
        #expect(queue.leaveOut(except: [self.candidate(1)]) == [])
        #expect(queue.waiting == [self.peers[1]] && queue.leftOut == [self.peers[0]])
        #expect(queue.judged(self.peers[0], isUsable: false) == false)
        #expect(queue.judged(self.peers[3], isUsable: true) == false)
        #expect(queue.judged(self.peers[0], isUsable: true) == true)
        #expect(queue.waiting == [self.peers[1], self.peers[0]] && queue.leftOut.isEmpty)
        #expect(queue.judged(self.peers[0], isUsable: true) == false)
    }
}
