public import DIGIdentity

/// Something that a peer has published under a topic, signed by it.
public struct GossipMessage: Hashable, Sendable {
    /// Who published it. Whoever brought it is somebody else in most cases.
    public let publisher: PeerID
    /// Grows with each message of a publisher; eight bytes, big-endian, from most software.
    public let sequenceNumber: [UInt8]
    public let topic: String
    public let data: [UInt8]
    let signature: [UInt8]
    /// The publisher's key, if its peer id does not hold it whole.
    let key: [UInt8]?
    /// Whether there is a field for the data at all: the signature covers also an empty one.
    let hasData: Bool

    init(
        publisher: PeerID, sequenceNumber: [UInt8], topic: String, data: [UInt8]?, signature: [UInt8] = [], key: [UInt8]? = nil
    ) {
        self.publisher = publisher
        self.sequenceNumber = sequenceNumber
        self.topic = topic
        self.data = data ?? []
        self.hasData = data != nil
        self.signature = signature
        self.key = key
    }

    public var id: GossipMessageID { GossipMessageID(bytes: self.publisher.bytes + self.sequenceNumber) }
}
