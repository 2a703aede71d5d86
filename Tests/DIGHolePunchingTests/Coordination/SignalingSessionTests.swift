import DIGIdentity
import Testing

@testable import DIGHolePunching

/// A session that expectations can change.
private final class Talker {
    private var session: SignalingSession

    init(_ session: SignalingSession) { self.session = session }

    func message(_ body: [UInt8], isAnswer: Bool, nowMilliseconds: UInt64) -> SignalingMessage {
        self.session.message(body, isAnswer: isAnswer, nowMilliseconds: nowMilliseconds)
    }

    func accepts(_ message: SignalingMessage) -> Bool { self.session.accepts(message) }
}

private final class Memory {
    private var replays = SignalingReplayGuard(capacity: 2)
    func admits(_ message: SignalingMessage, at now: UInt64) -> Bool { self.replays.admits(message, nowMilliseconds: now) }
}

@Suite("Signaling sessions")
struct SignalingSessionTests {
    private let a: PeerID
    private let b: PeerID
    private let now: UInt64 = 1_800_000_000_000

    init() throws {
        self.a = try KeyPair.generate().peerID
        self.b = try KeyPair.generate().peerID
    }

    private func session(_ local: PeerID, _ remote: PeerID) -> Talker {
        var generator = SystemRandomNumberGenerator()
        return Talker(SignalingSession(localPeer: local, remotePeer: remote, topic: "punch", localID: .random(using: &generator), lifetime: .seconds(60)))
    }

    @Test("a conversation passes; every message is taken once")
    func conversation() {
        let (initiator, responder) = (self.session(self.a, self.b), self.session(self.b, self.a))
        let connect = initiator.message([1], isAnswer: false, nowMilliseconds: self.now)
        #expect(connect.recipientSession == nil)
        #expect(connect.expiresAtMilliseconds == self.now + 60_000)
        #expect(responder.accepts(connect))
        #expect(!responder.accepts(connect))
        let answer = responder.message([2], isAnswer: true, nowMilliseconds: self.now)
        #expect(initiator.accepts(answer))
        #expect(!initiator.accepts(answer))
        let sync = initiator.message([3], isAnswer: true, nowMilliseconds: self.now)
        #expect(responder.accepts(sync))
        #expect(!responder.accepts(sync))
    }

    @Test("an answer that comes when something else has been said since is dropped, so it can't spoil the measurement")
    func lateAnswer() {
        let (initiator, responder) = (self.session(self.a, self.b), self.session(self.b, self.a))
        let first = initiator.message([1], isAnswer: false, nowMilliseconds: self.now)
        #expect(responder.accepts(first))
        let late = responder.message([2], isAnswer: true, nowMilliseconds: self.now)
        // Given up waiting.
        let second = initiator.message([3], isAnswer: false, nowMilliseconds: self.now)
        #expect(!initiator.accepts(late))
        // The initiator has not heard from the peer, so it does not know its session. The peer takes it all the same: it goes on with the call.
        #expect(second.recipientSession == nil)
        #expect(responder.accepts(second))
        #expect(initiator.accepts(responder.message([4], isAnswer: true, nowMilliseconds: self.now)))
    }

    @Test("messages out of order are dropped, not taken late")
    func order() {
        let (initiator, responder) = (self.session(self.a, self.b), self.session(self.b, self.a))
        #expect(responder.accepts(initiator.message([1], isAnswer: false, nowMilliseconds: self.now)))
        #expect(initiator.accepts(responder.message([2], isAnswer: true, nowMilliseconds: self.now)))
        let sync = initiator.message([3], isAnswer: true, nowMilliseconds: self.now)
        let next = initiator.message([4], isAnswer: false, nowMilliseconds: self.now)
        #expect(responder.accepts(next))
        #expect(!responder.accepts(sync))
    }

    @Test("a message of another conversation, peer or topic is not taken")
    func foreign() {
        let (initiator, responder) = (self.session(self.a, self.b), self.session(self.b, self.a))
        #expect(responder.accepts(initiator.message([1], isAnswer: false, nowMilliseconds: self.now)))
        var answer = responder.message([2], isAnswer: true, nowMilliseconds: self.now)
        let other = self.session(self.a, self.b)
        #expect(!other.accepts(answer))
        answer.topic = "ice"
        #expect(!initiator.accepts(answer))
        answer.topic = "punch"
        answer.sender = self.a
        #expect(!initiator.accepts(answer))
    }

    @Test("a recording of a first message begins nothing, until it is out of date anyway; what is remembered is bounded")
    func replays() throws {
        let replays = Memory()
        func first() -> SignalingMessage {
            self.session(self.a, self.b).message([1], isAnswer: false, nowMilliseconds: self.now)
        }
        let message = first()
        #expect(replays.admits(message, at: self.now))
        #expect(!replays.admits(message, at: self.now))
        #expect(replays.admits(first(), at: self.now))
        let third = first()
        #expect(!replays.admits(third, at: self.now))
        #expect(replays.admits(third, at: self.now + 60_001))
    }
}
