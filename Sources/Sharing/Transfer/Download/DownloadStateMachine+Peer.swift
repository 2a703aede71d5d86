import DIGIdentity

extension DownloadStateMachine {
    struct Peer {
        let peer: PeerID
        var isDescribed = false
        /// Nil until the bitfield came.
        var holdings: ChunkHoldings?
        var window: RequestWindow
        var meter: RateMeter
        var requests: [Request] = []
        var outstandingCount = 0
        var hashRequests: Set<Int> = []
        /// Segments it said it cannot give.
        var lackedSegments: Set<Int> = []
        var lastProgress: Instant
        var isStalled = false
        var stallCount = 0
        var pausedUntil: Instant?
        var verifiedByteCount: UInt64 = 0
        /// Chunks it said it holds, and then that it does not.
        var takenBackCount = 0

        /// Whether it owes us something.
        var isAwaited: Bool { !self.isDescribed || self.holdings == nil || !self.hashRequests.isEmpty || !self.requests.isEmpty }
    }
}
