public import DIGAnnouncement
public import DIGContent
public import DIGIdentity

/// Makes announcements of this node known.
public protocol AvailabilityAnnouncer: Sendable {
    /// - Parameters:
    ///   - announcement: With `isAvailable` false it is a withdrawal.
    ///   - envelope: The same, signed.
    func announce(_ announcement: ContentAnnouncement, envelope: SignedEnvelope) async throws
}

/// Asks a holder for a proof of possession: a block that the asker picks at random, with its path in the hash tree.
public protocol PossessionProver: Sendable {
    /// True: the block came and is right. False: the peer answered without it.
    ///
    /// A peer that is known to hold only a part is asked for a block of that part. Must end when it is cancelled.
    ///
    /// - Throws: When the peer could not be asked; `CancellationError` if the reason lies with this node, such as no network, and the try is not to count.
    func proves(_ peer: PeerID, has content: ContentHash) async throws -> Bool
}

/// Carries reports of this node to others.
public protocol ReportTransport: Sendable {
    func send(_ report: AvailabilityReport, envelope: SignedEnvelope) async throws
}

/// Time, as ``ContentAvailabilityManager`` needs it.
public struct AvailabilityClock: Sendable {
    /// Milliseconds since 1970.
    public var nowMilliseconds: @Sendable () -> UInt64
    public var sleep: @Sendable (Duration) async throws -> Void

    public init(nowMilliseconds: @escaping @Sendable () -> UInt64, sleep: @escaping @Sendable (Duration) async throws -> Void) {
        self.nowMilliseconds = nowMilliseconds
        self.sleep = sleep
    }
}
