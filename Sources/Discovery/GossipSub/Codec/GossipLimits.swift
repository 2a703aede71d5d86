/// What is read of an RPC. What is beyond is left out and counted against the sender.
enum GossipLimits {
    /// As go-libp2p and py-libp2p: an RPC with everything in it.
    static let maximumRPCByteCount = 1 << 20
    /// Of one message, besides its data: key, signature, names.
    static let maximumMessageOverhead = 4096
    /// Key and signature together: those of RSA with 8,192 bits have 2.1 KiB.
    static let maximumSignatureByteCount = 3072
    static let maximumTopicByteCount = 512
    static let maximumMessageIDByteCount = 128
    static let maximumSequenceNumberByteCount = 32
    static let maximumSubscriptions = 1024
    /// The answer to an IWANT may hold many small ones.
    static let maximumMessages = 4096
    /// Topics in one RPC about which messages are offered.
    static let maximumIHave = 256
    /// In all IHAVE of an RPC together, and in all IWANT: go-libp2p sends no more.
    static let maximumMessageIDs = 5000
    static let maximumGrafts = 256
    static let maximumPrunes = 256
    /// In one PRUNE: go-libp2p sends 16.
    static let maximumExchangedPeers = 32
    static let maximumPeerRecordByteCount = 16 << 10
}
