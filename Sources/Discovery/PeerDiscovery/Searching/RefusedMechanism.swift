import DIGAnnouncement

/// Takes the place of a mechanism in a search that must not begin.
struct RefusedMechanism: DiscoveryMechanism {
    let source: DiscoverySource
    let error: DiscoveryError

    func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error> {
        AsyncThrowingStream { $0.finish(throwing: self.error) }
    }

    func announce(_ content: AnnouncedContent) async throws -> Int { throw self.error }
    func withdraw(_ key: RendezvousKey) async throws { throw self.error }
}
