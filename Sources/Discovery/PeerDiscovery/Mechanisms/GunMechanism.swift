public import DIGAnnouncement
public import DIGIdentity
public import DIGGun

/// Signed announcements in the GUN graph, which announces again by itself.
public struct GunMechanism: DiscoveryMechanism {
    private static let bufferCount = 1_000

    public var source: DiscoverySource { .gun }
    public var heard: AsyncStream<SignedEnvelope> { self.discovery.announcementsHeard }
    public var keepsAnnouncing: Bool { true }

    private let discovery: GunDiscovery
    private let peer: GunPeer
    private let acknowledgementTime: Duration

    /// - Parameters:
    ///   - discovery: Runs on its own, as does `peer`.
    ///   - peer: The one that `discovery` uses.
    ///   - acknowledgementTime: How long to wait for a relay to say that it has an announcement.
    public init(_ discovery: GunDiscovery, peer: GunPeer, acknowledgementTime: Duration = .seconds(5)) {
        self.discovery = discovery
        self.peer = peer
        self.acknowledgementTime = acknowledgementTime
    }

    public func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingOldest(Self.bufferCount)) { continuation in
            let task = Task { [discovery, peer] in
                var isAnythingFound = false
                for await announcement in discovery.findPeers(key) {
                    isAnythingFound = true
                    continuation.yield(FoundHolder(announcement.peer, addresses: announcement.addresses, isSigned: true))
                }
                let status = peer.status
                if !isAnythingFound, status.relays.isEmpty, status.acceptedCount == 0 {
                    continuation.finish(throwing: DiscoveryError(.unreachable, "no peer of GUN is connected"))
                } else {
                    continuation.finish()
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// - Returns: 1 if a relay has acknowledged it. 0 is no loss: the next relay that is connected gets it, but whether it did is not known.
    public func announce(_ content: AnnouncedContent) async throws -> Int {
        try await self.discovery.announce(
            content.key, port: content.port, contentID: content.contentID, waitingForAcknowledgement: self.acknowledgementTime) ? 1 : 0
    }

    /// Also without a relay: the next one is told.
    public func withdraw(_ key: RendezvousKey) async throws {
        try await self.discovery.withdraw(key, waitingForAcknowledgement: self.acknowledgementTime)
    }
}
