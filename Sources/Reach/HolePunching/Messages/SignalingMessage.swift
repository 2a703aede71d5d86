public import DIGIdentity

/// A small message from one peer to another through some backend, which may read, drop, delay, reorder and repeat it, but not change it.
///
/// It travels as the payload of a ``DIGIdentity/SignedEnvelope``. The sender's signature covers the recipient, so nobody else can be sent it
/// again; the sessions of both ends, so that it belongs to one conversation; its number in there; and the end of its life.
public struct SignalingMessage: Hashable, Sendable {
    public static let maximumBodyByteCount = 16 * 1024
    public static let maximumTopicByteCount = 64
    /// Further in the future no end of life may be: what is to be remembered against repetition stays bounded.
    public static let maximumLifetime: Duration = .seconds(600)

    /// Proven by the signature.
    public var sender: PeerID
    public var recipient: PeerID
    /// Who is to read it, such as `punch`.
    public var topic: String
    public var senderSession: SignalingSessionID
    /// Nil in the messages sent before the first of the recipient has arrived.
    public var recipientSession: SignalingSessionID?
    /// From 1, counted by the sender.
    public var sequence: UInt64
    /// The sequence of the message that this one answers.
    public var answers: UInt64?
    /// Unix time.
    public var expiresAtMilliseconds: UInt64
    public var body: [UInt8]

    public init(
        sender: PeerID, recipient: PeerID, topic: String, senderSession: SignalingSessionID, recipientSession: SignalingSessionID? = nil,
        sequence: UInt64, answers: UInt64? = nil, expiresAtMilliseconds: UInt64, body: [UInt8]
    ) {
        self.sender = sender
        self.recipient = recipient
        self.topic = topic
        self.senderSession = senderSession
        self.recipientSession = recipientSession
        self.sequence = sequence
        self.answers = answers
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.body = body
    }
}
