/// What is read of a message. A longer list is cut off; a longer key or value makes the message unreadable.
enum KademliaLimits {
    /// An answer: twenty closer peers, a hundred providers, each with many addresses. go-libp2p sends up to 4 MiB and never needs them.
    static let maximumMessageByteCount = 1 << 20
    /// A question: one value, or one provider.
    static let maximumRequestByteCount = 64 << 10
    /// A key, such as `/pk/` and a peer's name.
    static let maximumKeyByteCount = 256
    /// As go-libp2p: a key with providers is a multihash.
    static let maximumProviderKeyByteCount = 80
    /// Of an answer: a mailbox full of letters. What is stored is much shorter, see ``ValueStore``.
    static let maximumValueByteCount = 200 << 10
    /// go-libp2p sends 20.
    static let maximumCloserPeers = 32
    static let maximumProviderPeers = 128
    static let maximumAddresses = 16
    static let maximumStatementByteCount = 4096
    static let maximumTimeByteCount = 64
}
