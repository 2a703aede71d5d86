import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGNatTools

@Suite("Candidates for holders")
struct HolderCandidatesTests {
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
        var candidates = HolderCandidates()
        let isFirst = candidates.announced(self.peer, at: self.old, now: self.start)
        let isAgain = candidates.announced(self.peer, at: self.new, now: self.start + .seconds(1000))
        #expect(isFirst && !isAgain)
        #expect(candidates.addresses(of: self.peer) == (self.new, .user))
    }

    @Test("who lacks the content is asked again after 10 s, 20 s, … and at most every 5 minutes")
    func backsOff() {
        var candidates = HolderCandidates()
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
        var candidates = HolderCandidates()
        _ = candidates.announced(self.peer, at: self.old, now: self.start)
        let deadline = candidates.lacked(self.peer, now: self.start)
        candidates.left(self.peer)
        let isAsked = candidates.restEnded(self.peer, now: deadline)
        #expect(!isAsked)
        let isBack = candidates.announced(self.peer, at: self.new, now: deadline + .seconds(1))
        #expect(isBack)
        #expect(candidates.addresses(of: self.peer) == (self.new, .user))
        let triesOn = candidates.unreachable(self.peer)
        candidates.left(self.peer)
        let triesStill = candidates.unreachable(self.peer)
        #expect(triesOn && !triesStill)
        let rests = candidates.givenUp(self.peer, now: deadline + .seconds(2))
        #expect(rests == nil)
        let isBackAgain = candidates.announced(self.peer, at: self.new, now: deadline + .seconds(2))
        #expect(isBackAgain)
    }

    @Test("who is known by others' words is tried three times, rests, and is tried again; its addresses are a stranger's")
    func hearsay() {
        var candidates = HolderCandidates()
        let isFirst = candidates.heard(self.peer, at: self.old, now: self.start)
        let isAgain = candidates.heard(self.peer, at: self.old, now: self.start)
        #expect(isFirst && !isAgain)
        #expect(candidates.addresses(of: self.peer) == (self.old, .stranger))
        let tries = (0..<HolderCandidates.maximumFailureCount).map { _ in candidates.unreachable(self.peer) }
        #expect(tries == [true, true, false])
        let deadline = candidates.givenUp(self.peer, now: self.start)
        #expect(deadline == self.start + .seconds(10))
        let isEarly = candidates.heard(self.peer, at: self.new, now: self.start + .seconds(9))
        let isDue = candidates.restEnded(self.peer, now: self.start + .seconds(10))
        #expect(!isEarly && isDue)
        #expect(candidates.addresses(of: self.peer) == (self.new, .stranger))
        // On the local network too: that word counts, as long as it is there.
        _ = candidates.announced(self.peer, at: self.old, now: self.start)
        #expect(candidates.addresses(of: self.peer) == (self.old, .user))
        candidates.left(self.peer)
        #expect(candidates.addresses(of: self.peer) == (self.new, .stranger))
    }

    @Test("remembers so many, and forgets who is gone to make room")
    func bounded() throws {
        var candidates = HolderCandidates()
        for _ in 0..<HolderCandidates.maximumCount {
            let isNew = candidates.announced(try KeyPair.generate().peerID, at: self.old, now: self.start)
            #expect(isNew)
        }
        let isOneTooMany = candidates.announced(self.peer, at: self.old, now: self.start)
        #expect(!isOneTooMany)
        var full = HolderCandidates()
        _ = full.announced(self.peer, at: self.old, now: self.start)
        _ = full.lacked(self.peer, now: self.start)
        full.left(self.peer)
        for _ in 1..<HolderCandidates.maximumCount { _ = full.announced(try KeyPair.generate().peerID, at: self.old, now: self.start) }
        let another = try KeyPair.generate().peerID
        let hasNoRoom = full.announced(another, at: self.old, now: self.start)
        let hasRoom = full.announced(another, at: self.old, now: self.start + .seconds(10))
        #expect(!hasNoRoom && hasRoom)
        #expect(full.count == HolderCandidates.maximumCount)
        #expect(full.addresses(of: self.peer).addresses.isEmpty)
    }
}
