public import DIGAnnouncement
public import DIGIdentity
public import DIGMultiformats
public import DIGPeerExchange

/// Signed announcements that connected peers pass on.
public struct PeerExchangeMechanism: DiscoveryMechanism {
    private static let bufferCount = 1_000
    private static let confirmationLook: Duration = .milliseconds(20)

    public var source: DiscoverySource { .pex }
    public var heard: AsyncStream<SignedEnvelope> { self.exchange.announcementsHeard }

    private let exchange: PeerExchange
    private let signer: AnnouncementSigner
    private let confirmationTime: Duration

    /// - Parameters:
    ///   - exchange: Runs on its own.
    ///   - identity: The one of `exchange`.
    ///   - addresses: Where this node can be reached; asked for each announcement.
    ///   - lifetime: How long others may believe an announcement.
    ///   - confirmationTime: How long to wait for the peers that are connected to say that they have an announcement.
    public init(
        _ exchange: PeerExchange, identity: KeyPair, addresses: @escaping @Sendable () -> [Multiaddr], lifetime: Duration = .seconds(3_600),
        confirmationTime: Duration = .seconds(3)
    ) {
        self.exchange = exchange
        self.signer = AnnouncementSigner(identity: identity, addresses: addresses, lifetime: lifetime)
        self.confirmationTime = confirmationTime
    }

    public func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingOldest(Self.bufferCount)) { continuation in
            let task = Task { [exchange] in
                var isAnythingFound = false
                for await announcement in exchange.findHolders(of: key) where announcement.isAvailable {
                    isAnythingFound = true
                    continuation.yield(FoundHolder(announcement.peer, addresses: announcement.addresses, isSigned: true))
                }
                if !isAnythingFound, !exchange.knownPeers.contains(where: \.isConnected) {
                    continuation.finish(throwing: DiscoveryError(.unreachable, "no peer is connected"))
                } else {
                    continuation.finish()
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// - Returns: The connected peers that have said they have it. Those that come later are told, too.
    public func announce(_ content: AnnouncedContent) async throws -> Int {
        try await self.tell(self.signer.announcement(of: content), content.key)
    }

    public func withdraw(_ key: RendezvousKey) async throws {
        // Those that are not reached now are told when they are connected again.
        _ = try await self.tell(self.signer.withdrawal(of: key), key)
    }

    private func tell(_ envelope: SignedEnvelope, _ key: RendezvousKey) async throws -> Int {
        let wanted = try self.exchange.announce(envelope)
        let end = ContinuousClock.now + self.confirmationTime
        var count = self.exchange.announcedCount(of: key)
        while count < wanted, ContinuousClock.now < end {
            try await Task.sleep(for: Self.confirmationLook)
            count = self.exchange.announcedCount(of: key)
        }
        return count
    }
}
