/// How many letters are kept for others.
public struct MailboxStoreConfiguration: Hashable, Sendable {
    /// For one recipient, 32 at most. When there are more, the network that has sent the most loses its oldest.
    public var maximumLettersPerRecipient = 32
    public var maximumRecipients = 4096
    /// In all; up to 6 KiB each.
    public var maximumLetters = 8192

    public init() {}
}
