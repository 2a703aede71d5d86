import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGNatTools

@Suite("Local candidates")
struct LocalCandidatesTests {
    let start = ContinuousClock.now
    let peer: PeerID
    let old: [Multiaddr]
    let new: [Multiaddr]

    init() throws {
        self.peer = try KeyPair.generate().peerID
        self.old = [try Multiaddr("/ip4/192.0.2.1/tcp/1")]
        self.new = [try Multiaddr("/ip4/192.0.2.2/tcp/2")]
    }

    @Test("a peer is asked when it appears, and what it announced last is where it is")
    func appears() {
        var candidates = LocalCandidates()
        let isFirst = candidates.announced(self.peer, at: self.old, now: self.start)
        let isAgain = candidates.announced(self.peer, at: self.new, now: self.start + .seconds(1000))
        #expect(isFirst && !isAgain)
        #expect(candidates.addresses(of: self.peer) == self.new)
    }

    @Test("who lacks the content is asked again after 10 s, 20 s, … and at most every 5 minutes")
    func backsOff() {
        var candidates = LocalCandidates()
        var now = self.start
        _ = candidates.announced(self.peer, at: self.old, now: now)
        for interval in [10, 20, 60, 120, 300, 300, 300] {
            let deadline = candidates.lacked(self.peer, now: now)
            #expect(deadline == now + .seconds(interval))
            let isEarly = candidates.restEnded(self.peer, now: deadline - .milliseconds(1))
            let isEarlyToo = candidates.announced(self.peer, at: self.old, now: deadline - .milliseconds(1))
            #expect(!isEarly && !isEarlyToo)
            let isDue = candidates.restEnded(self.peer, now: deadline)
            let isTwice = candidates.announced(self.peer, at: self.old, now: deadline)
            #expect(isDue && !isTwice)
            now = deadline + .seconds(1)
        }
        candidates.held(self.peer)
        #expect(candidates.lacked(self.peer, now: now) == now + .seconds(10))
    }

    @Test("who has left is asked again only when it announces itself, and not before its rest is over")
    func leaves() {
        var candidates = LocalCandidates()
        _ = candidates.announced(self.peer, at: self.old, now: self.start)
        let deadline = candidates.lacked(self.peer, now: self.start)
        candidates.left(self.peer)
        let isAsked = candidates.restEnded(self.peer, now: deadline)
        #expect(!isAsked)
        let isBack = candidates.announced(self.peer, at: self.new, now: deadline + .seconds(1))
        #expect(isBack)
        #expect(candidates.addresses(of: self.peer) == self.new)
        let triesOn = candidates.unreachable(self.peer, now: deadline + .seconds(2))
        candidates.left(self.peer)
        let triesStill = candidates.unreachable(self.peer, now: deadline + .seconds(2))
        #expect(triesOn && !triesStill)
        let isBackAgain = candidates.announced(self.peer, at: self.new, now: deadline + .seconds(2))
        #expect(isBackAgain)
    }

    @Test("remembers so many, and forgets who is gone to make room")
    func bounded() throws {
        var candidates = LocalCandidates()
        for _ in 0..<LocalCandidates.maximumCount {
            let isNew = candidates.announced(try KeyPair.generate().peerID, at: self.old, now: self.start)
            #expect(isNew)
        }
        let isOneTooMany = candidates.announced(self.peer, at: self.old, now: self.start)
        #expect(!isOneTooMany)
        var full = LocalCandidates()
        _ = full.announced(self.peer, at: self.old, now: self.start)
        _ = full.lacked(self.peer, now: self.start)
        full.left(self.peer)
        for _ in 1..<LocalCandidates.maximumCount { _ = full.announced(try KeyPair.generate().peerID, at: self.old, now: self.start) }
        let another = try KeyPair.generate().peerID
        let hasNoRoom = full.announced(another, at: self.old, now: self.start)
        let hasRoom = full.announced(another, at: self.old, now: self.start + .seconds(10))
        #expect(!hasNoRoom && hasRoom)
        #expect(full.count == LocalCandidates.maximumCount)
        #expect(full.addresses(of: self.peer).isEmpty)
    }
}
