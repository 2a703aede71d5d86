public import DIGAnnouncement
public import DIGIdentity
public import DIGLocalDiscovery
public import DIGMultiformats
import Synchronization

/// The peers of the local network.
///
/// They announce themselves and not what they have: without a probe each of them is a candidate, with one those that have the content are holders.
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
    ///   - probe: Asks a peer. Nil: nobody is asked, and all are candidates (``FoundHolder/isClaimed`` is false).
    ///   - probeTimeout: A peer that has not answered by then stays a candidate.
    public init(_ discovery: LocalDiscovery, probe: Probe? = nil, probeTimeout: Duration = .seconds(5)) {
        self.discovery = discovery
        self.probe = probe
        self.probeTimeout = probeTimeout
    }

    public func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(Self.bufferCount)) { continuation in
            let task = Task { [discovery, probe, probeTimeout] in
                await withTaskGroup(of: Void.self) { group in
                    var probed: [PeerID: ContinuousClock.Instant] = [:]
                    var runningCount = 0
                    for await peer in discovery.findPeers() where !peer.addresses.isEmpty {
                        guard let probe else {
                            continuation.yield(FoundHolder(peer.peer, addresses: peer.addresses, isClaimed: false))
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
                            continuation.yield(FoundHolder(peer.peer, addresses: peer.addresses, isClaimed: answer == true))
                        }
                    }
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
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

    /// - Returns: The peers of the local network, which find this node and ask it.
    public func announce(_ content: AnnouncedContent) async throws -> Int { self.discovery.peers.count }

    /// Nothing: whoever asks is told that it is not there.
    public func withdraw(_ key: RendezvousKey) async throws {}
}
