public import DIGAnnouncement
public import DIGIdentity
public import DIGLocalDiscovery
public import DIGMultiformats
import Synchronization

/// The peers of the local network.
///
/// Who has the content says so when everybody is asked for it (``DIGLocalDiscovery/LocalDiscovery/findPeers(holding:)``). Peers of other software
/// announce themselves and do not answer that: without a probe each of them is a candidate, with one those that have the content are holders.
public struct LocalMechanism: DiscoveryMechanism {
    /// Whether `peer`, at these addresses, has the content; nil: it can't be asked.
    public typealias Probe = @Sendable (_ peer: PeerID, _ addresses: [Multiaddr], _ key: RendezvousKey) async -> Bool?

    /// Peers asked at a time in one search.
    static let probeParallelism = 8
    /// Peers asked in one search: as many as ``DIGLocalDiscovery/LocalDiscoveryConfiguration`` remembers by default.
    static let maximumProbes = 256
    /// A peer that is heard of again is asked again after so long, in a search that goes on.
    static let probeInterval: Duration = .seconds(30)
    private static let bufferCount = 512

    public var source: DiscoverySource { .local }
    public var isListening: Bool { true }
    /// Whoever asks finds this node.
    public var keepsAnnouncing: Bool { true }

    private let discovery: LocalDiscovery
    private let probe: Probe?
    private let probeTimeout: Duration

    /// - Parameters:
    ///   - discovery: Runs on its own.
    ///   - probe: Asks a peer that does not answer for contents. Nil: nobody is asked, and all of those are candidates (``FoundHolder/isClaimed`` is false).
    ///   - probeTimeout: A peer that has not answered by then stays a candidate.
    public init(_ discovery: LocalDiscovery, probe: Probe? = nil, probeTimeout: Duration = .seconds(5)) {
        self.discovery = discovery
        self.probe = probe
        self.probeTimeout = probeTimeout
    }

    /// What is asked for on the link: a hash of the key.
    public static func key(of key: RendezvousKey) -> LocalKey? { LocalKey(bytes: key.blindedBytes) }

    public func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(Self.bufferCount)) { continuation in
            let task = Task { [self] in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await self.hear(of: key) { continuation.yield($0) } }
                    group.addTask { await self.ask(for: key) { continuation.yield($0) } }
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Those that say so.
    private func hear(of key: RendezvousKey, found: @escaping @Sendable (FoundHolder) -> Void) async {
        guard let localKey = Self.key(of: key) else { return }
        for await peer in self.discovery.findPeers(holding: localKey) where !peer.addresses.isEmpty {
            found(FoundHolder(peer.peer, addresses: peer.addresses))
        }
    }

    /// Those that would not.
    private func ask(for key: RendezvousKey, found: @escaping @Sendable (FoundHolder) -> Void) async {
        let probe = self.probe
        let probeTimeout = self.probeTimeout
        await withTaskGroup(of: Void.self) { group in
            var probed: [PeerID: ContinuousClock.Instant] = [:]
            var runningCount = 0
            for await peer in self.discovery.findPeers() where !peer.addresses.isEmpty && !peer.answersForContents {
                guard let probe else {
                    found(FoundHolder(peer.peer, addresses: peer.addresses, isClaimed: false))
                    continue
                }
                let now = ContinuousClock.now
                if let last = probed[peer.peer] {
                    guard now - last >= Self.probeInterval else { continue }
                } else {
                    guard probed.count < Self.maximumProbes else { continue }
                }
                probed[peer.peer] = now
                if runningCount >= Self.probeParallelism { await group.next() } else { runningCount += 1 }
                group.addTask {
                    let answer = await Self.ask(probe, peer, key, probeTimeout)
                    guard answer != false else { return }
                    found(FoundHolder(peer.peer, addresses: peer.addresses, isClaimed: answer == true))
                }
            }
        }
    }

    private static func ask(_ probe: @escaping Probe, _ peer: DiscoveredPeer, _ key: RendezvousKey, _ limit: Duration) async -> Bool? {
        do {
            return try await TimeLimit.run(limit) { await probe(peer.peer, peer.addresses, key) } returned: {}
        } catch {
            // No answer is no answer.
            return nil
        }
    }

    /// - Returns: The peers of the local network, which may ask for it.
    public func announce(_ content: AnnouncedContent) async throws -> Int {
        if let key = Self.key(of: content.key) { self.discovery.announce(key) }
        return self.discovery.peers.count
    }

    public func announceInBackground(_ contents: [AnnouncedContent]) throws -> Bool {
        self.discovery.announce(all: contents.compactMap { Self.key(of: $0.key) })
        return true
    }

    /// Who was told lately is told; whoever asks later is not.
    public func withdraw(_ key: RendezvousKey) async throws {
        if let key = Self.key(of: key) { self.discovery.withdraw(key) }
    }
}
