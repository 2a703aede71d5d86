public import DIGAnnouncement
public import DIGKademlia

/// Provider records in a DHT.
///
/// The key is the sha2-256 multihash whose digest is the ``DIGAnnouncement/RendezvousKey``: for a content its own multihash, as other software
/// would look it up in the public network. The DHT announces again by itself.
public struct KademliaMechanism: DiscoveryMechanism {
    private static let multihashPrefix: [UInt8] = [0x12, 0x20]
    /// Waiting for a slow reader. A search finds 100 by default, each named twice at most.
    private static let bufferCount = 256

    public let source: DiscoverySource
    public var keepsAnnouncing: Bool { true }

    private let service: KademliaService
    private let lifetime: Duration?

    /// - Parameters:
    ///   - service: Runs on its own.
    ///   - source: ``DiscoverySource/dht`` or ``DiscoverySource/publicDHT``.
    ///   - lifetime: How long others are to remember an announcement; nil: as the service is configured.
    public init(_ service: KademliaService, source: DiscoverySource = .dht, lifetime: Duration? = nil) {
        self.service = service
        self.source = source
        self.lifetime = lifetime
    }

    /// What `key` is in the DHT.
    public static func key(of key: RendezvousKey) -> [UInt8] { Self.multihashPrefix + key.bytes }

    public func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingOldest(Self.bufferCount)) { continuation in
            let task = Task { [service] in
                var isAnythingFound = false
                for await provider in service.findProviders(of: Self.key(of: key)) where provider.peer != service.localPeer {
                    isAnythingFound = true
                    continuation.yield(FoundHolder(provider.peer, addresses: provider.addresses, isSigned: provider.isSigned))
                }
                if !isAnythingFound, service.routingTable.allSatisfy(\.isEmpty) {
                    continuation.finish(throwing: DiscoveryError(.unreachable, "no node of \(service.protocolID) is known"))
                } else {
                    continuation.finish()
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    public func announce(_ content: AnnouncedContent) async throws -> Int {
        try await self.service.provide(Self.key(of: content.key), lifetime: self.lifetime).stored
    }

    public func announceInBackground(_ contents: [AnnouncedContent]) throws -> Bool {
        try self.service.provide(all: contents.map { Self.key(of: $0.key) }, lifetime: self.lifetime)
        return true
    }

    /// In the public network records are unsigned, and nobody can take one back: it is only not announced again.
    public func withdraw(_ key: RendezvousKey) async throws {
        let told = try await self.service.stopProviding(Self.key(of: key))
        guard told > 0 || self.source == .publicDHT else { throw DiscoveryError(.unreachable, "no node of \(self.service.protocolID) was told") }
    }
}
