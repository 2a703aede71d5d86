public import DIGAnnouncement
public import DIGIdentity

/// One way of finding who has what.
///
/// A mechanism may be slow, fail, hang or say too much: ``PeerDiscoveryManager`` gives it up then, and no other notices.
public protocol DiscoveryMechanism: Sendable {
    /// A manager has at most one mechanism of each.
    var source: DiscoverySource { get }

    /// The stream of ``findHolders(of:)`` does not end by itself: it goes on listening. False by default.
    var isListening: Bool { get }

    /// What is announced once is announced again by the mechanism itself until it is withdrawn. Otherwise, and by default, the manager does.
    var keepsAnnouncing: Bool { get }

    /// Who has the content, as they are found. Not called before anybody wants to know, and ended by cancelling the reader.
    ///
    /// Must not block. The stream's buffer is the mechanism's: it has to be bounded.
    func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error>

    /// The signed announcements and withdrawals of others that it hears from now on, whether or not anybody looks for them; a slow reader misses the oldest.
    /// Ends at once where nothing is signed in this form; the default.
    var heard: AsyncStream<SignedEnvelope> { get }

    /// Says that this node has the content, with the time of now.
    ///
    /// - Returns: How many other nodes took it. 0: nobody is there to take it yet; the manager tries again.
    func announce(_ content: AnnouncedContent) async throws -> Int

    /// Announces many in the background, where the mechanism can do that better than the manager one after the other.
    ///
    /// - Returns: False if it can't; the default.
    func announceInBackground(_ contents: [AnnouncedContent]) throws -> Bool

    /// Says that this node has the content no longer, also if it is not known to have been announced.
    ///
    /// - Throws: If nobody could be told; the manager tries again for as long as others may believe the announcement.
    func withdraw(_ key: RendezvousKey) async throws
}

extension DiscoveryMechanism {
    public var isListening: Bool { false }
    public var keepsAnnouncing: Bool { false }
    public var heard: AsyncStream<SignedEnvelope> { AsyncStream { $0.finish() } }
    public func announceInBackground(_ contents: [AnnouncedContent]) throws -> Bool { false }
}
