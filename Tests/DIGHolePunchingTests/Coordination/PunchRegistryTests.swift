import DIGIdentity
import Testing

@testable import DIGHolePunching

@Suite("Punch registry")
struct PunchRegistryTests {
    private let lower: PeerID
    private let higher: PeerID

    init() throws {
        let peers = [try KeyPair.generate().peerID, try KeyPair.generate().peerID].sorted()
        (self.lower, self.higher) = (peers[0], peers[1])
    }

    @Test("one punch for each peer, and no more than the limit in all")
    func limits() throws {
        let registry = PunchRegistry(localPeer: self.lower, capacity: 1)
        let admission = try registry.begin(with: self.higher, as: .initiator)
        #expect(throws: HolePunchError(.busy, "")) { try registry.begin(with: self.higher, as: .initiator) }
        let other = try KeyPair.generate().peerID
        #expect(throws: HolePunchError(.limitExceeded, "")) { try registry.begin(with: other, as: .responder) }
        registry.end(admission, with: self.higher)
        #expect(registry.count == 0)
        _ = try registry.begin(with: other, as: .responder)
    }

    @Test("when both begin, the one with the lower id goes on: both ends decide alike")
    func glare() async throws {
        let low = PunchRegistry(localPeer: self.lower, capacity: 8)
        _ = try low.begin(with: self.higher, as: .initiator)
        #expect(throws: HolePunchError(.busy, "")) { try low.begin(with: self.higher, as: .responder) }

        let high = PunchRegistry(localPeer: self.higher, capacity: 8)
        let own = try high.begin(with: self.lower, as: .initiator)
        let theirs = try high.begin(with: self.lower, as: .responder)
        // Ends, or the test does not.
        for await _ in own.stopped {}
        high.end(own, with: self.lower)
        #expect(high.count == 1)
        high.end(theirs, with: self.lower)
        #expect(high.count == 0)
    }

    @Test("the peer's next stream takes the place of its last one")
    func supersedes() async throws {
        let registry = PunchRegistry(localPeer: self.lower, capacity: 1)
        let first = try registry.begin(with: self.higher, as: .responder)
        _ = try registry.begin(with: self.higher, as: .responder)
        for await _ in first.stopped {}
        #expect(registry.count == 1)
    }

    @Test("a call over another path does not end the punch that the peer has begun: it may be older")
    func otherPath() throws {
        let registry = PunchRegistry(localPeer: self.lower, capacity: 8)
        let first = try registry.begin(with: self.higher, as: .responder, over: "gun")
        #expect(throws: HolePunchError(.busy, "")) { try registry.begin(with: self.higher, as: .responder, over: "dht") }
        registry.end(first, with: self.higher)
        _ = try registry.begin(with: self.higher, as: .responder, over: "dht")
        // Which of two punches goes on when both begin does not depend on what they talk over.
        let other = PunchRegistry(localPeer: self.higher, capacity: 8)
        _ = try other.begin(with: self.lower, as: .initiator, over: "gun")
        _ = try other.begin(with: self.lower, as: .responder, over: "dht")
    }
}
