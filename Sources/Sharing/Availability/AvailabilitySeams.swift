public import DIGAnnouncement
public import DIGContent
public import DIGIdentity

/// Makes announcements of this node known.
public protocol AvailabilityAnnouncer: Sendable {
    /// What is announced once is announced again by the announcer itself until it is withdrawn. False by default.
    var keepsAnnouncing: Bool { get }

    /// - Parameters:
    ///   - announcement: With `isAvailable` false it is a withdrawal.
    ///   - envelope: The same, signed.
    func announce(_ announcement: ContentAnnouncement, envelope: SignedEnvelope) async throws
}

extension AvailabilityAnnouncer {
    public var keepsAnnouncing: Bool { false }
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
    /// - Returns: How many other nodes were told.
    func send(_ report: AvailabilityReport, envelope: SignedEnvelope) async throws -> Int
}

/// Time, as ``ContentAvailabilityManager`` needs it.
public struct AvailabilityClock: Sendable {
    /// Milliseconds since 1970.
    public var nowMilliseconds: @Sendable () -> UInt64
    /// Returns after the duration; throws `CancellationError` as soon as the task is cancelled.
    public var sleep: @Sendable (Duration) async throws -> Void

    public init(nowMilliseconds: @escaping @Sendable () -> UInt64, sleep: @escaping @Sendable (Duration) async throws -> Void) {
        self.nowMilliseconds = nowMilliseconds
        self.sleep = sleep
    }
}
