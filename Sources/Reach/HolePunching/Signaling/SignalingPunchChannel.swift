import DIGIdentity
import DIGNet
import NIOCore
import Synchronization

/// A conversation through a backend of ``Signaling``.
final class SignalingPunchChannel: PunchChannel {
    static let topic = "punch"
    /// Messages of the peer that wait to be read; the oldest are dropped.
    private static let inboxCount = 16

    let session: SignalingSessionID
    private let side: PunchEvent.Side
    private let signaling: any Signaling
    private let identity: KeyPair
    private let peer: PeerID
    private let state: Mutex<SignalingSession>
    private let inbox: AsyncStream<SignalingMessage>
    private let continuation: AsyncStream<SignalingMessage>.Continuation

    init(side: PunchEvent.Side, signaling: any Signaling, identity: KeyPair, peer: PeerID, lifetime: Duration) {
        var generator = SystemRandomNumberGenerator()
        self.session = .random(using: &generator)
        self.side = side
        self.signaling = signaling
        self.identity = identity
        self.peer = peer
        self.state = Mutex(
            SignalingSession(localPeer: identity.peerID, remotePeer: peer, topic: Self.topic, localID: self.session, lifetime: lifetime))
        (self.inbox, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.inboxCount))
    }

    var name: String { self.signaling.name }

    /// A message that names this conversation, or begins it.
    func arrived(_ message: SignalingMessage) {
        self.continuation.yield(message)
    }

    func send(_ message: PunchMessage) async throws {
        // The initiator's CONNECT begins an attempt; everything else answers.
        let isAnswer = if self.side == .initiator, case .connect = message { false } else { true }
        let body = Array(message.encoded.readableBytesView)
        let signal = self.state.withLock { $0.message(body, isAnswer: isAnswer, nowMilliseconds: WallClock.nowMilliseconds) }
        try await self.signaling.send(signal.sealed(with: self.identity), to: self.peer)
    }

    func receive() async throws -> PunchMessage {
        for await message in self.inbox {
            guard self.state.withLock({ $0.accepts(message) }) else { continue }
            return try PunchMessage(decoding: ByteBuffer(bytes: message.body))
        }
        try Task.checkCancellation()
        throw SignalingError.closed
    }

    func finish() { self.continuation.finish() }
    func close() { self.continuation.finish() }
}
