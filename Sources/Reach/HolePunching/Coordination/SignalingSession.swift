import DIGIdentity

/// One end of a conversation through a backend that may lose, delay, reorder and repeat: numbers what is said and picks what is new.
struct SignalingSession {
    let localPeer: PeerID
    let remotePeer: PeerID
    let topic: String
    let localID: SignalingSessionID
    /// Known once the peer has spoken.
    private(set) var remoteID: SignalingSessionID?
    private let lifetimeMilliseconds: UInt64
    private var lastSent: UInt64 = 0
    private var lastReceived: UInt64 = 0
    /// The peer began, so it may not have heard this end yet.
    private var wasCalled = false

    init(localPeer: PeerID, remotePeer: PeerID, topic: String, localID: SignalingSessionID, lifetime: Duration) {
        self.localPeer = localPeer
        self.remotePeer = remotePeer
        self.topic = topic
        self.localID = localID
        let longest = SignalingMessage.maximumLifetime
        self.lifetimeMilliseconds = UInt64(max(.seconds(1), min(lifetime, longest)).components.seconds) * 1000
    }

    /// The next message of this end.
    ///
    /// - Parameter isAnswer: It answers the last one accepted: the peer drops it if it has said something else since.
    mutating func message(_ body: [UInt8], isAnswer: Bool, nowMilliseconds: UInt64) -> SignalingMessage {
        self.lastSent += 1
        return SignalingMessage(
            sender: self.localPeer, recipient: self.remotePeer, topic: self.topic, senderSession: self.localID, recipientSession: self.remoteID,
            sequence: self.lastSent, answers: isAnswer ? self.lastReceived : nil,
            expiresAtMilliseconds: nowMilliseconds.addingReportingOverflow(self.lifetimeMilliseconds).partialValue, body: body)
    }

    /// Whether `message`, opened already, is the peer's next word in this conversation. If not it is dropped: through such backends late and
    /// repeated messages are legitimate.
    mutating func accepts(_ message: SignalingMessage) -> Bool {
        guard message.sender == self.remotePeer, message.recipient == self.localPeer, message.topic == self.topic else { return false }
        if let remoteID { guard message.senderSession == remoteID else { return false } }
        // To repeat the id is to prove that the message is no recording. Only whoever begins may leave it out, until it is answered.
        let isCall = message.recipientSession == nil
        if let session = message.recipientSession {
            guard session == self.localID else { return false }
        } else {
            guard self.wasCalled || self.lastSent == 0 && self.lastReceived == 0, message.answers == nil else { return false }
        }
        guard message.sequence > self.lastReceived else { return false }
        if let answers = message.answers { guard answers == self.lastSent else { return false } }
        if isCall { self.wasCalled = true }
        self.remoteID = message.senderSession
        self.lastReceived = message.sequence
        return true
    }
}
