import DIGAnnouncement
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import DIGPeerExchange

func address(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> Multiaddr { Multiaddr(components: [.ip4(IPv4Address(a, b, c, d)), .tcp(4001)]) }

extension RendezvousKey {
    static func test(_ number: Int) throws -> Self {
        guard let key = Self(bytes: (0..<32).map { UInt8(truncatingIfNeeded: $0 < 8 ? number >> (8 * $0) : 7) }) else { throw NeverHappened() }
        return key
    }
}

/// Somebody with a key.
struct Somebody: Sendable {
    let identity: KeyPair
    var peer: PeerID { self.identity.peerID }

    init() throws { self.identity = try KeyPair.generate() }

    func record(sequence: UInt64 = 1, addresses: [Multiaddr] = [address(9, 9, 9, 9)], of peer: PeerID? = nil) throws -> SignedPeerRecord {
        try SignedPeerRecord(
            opening: PeerRecord(peer: peer ?? self.peer, sequence: sequence, addresses: addresses).sealed(with: self.identity))
    }

    func announcement(
        _ key: RendezvousKey, at milliseconds: UInt64, isAvailable: Bool = true, lifetime: Duration = .seconds(3600), addresses: [Multiaddr] = []
    ) throws -> SignedAnnouncement {
        let announcement = ContentAnnouncement(
            peer: self.peer, key: key, isAvailable: isAvailable, addresses: addresses, timestampMilliseconds: milliseconds, lifetime: lifetime)
        return SignedAnnouncement(announcement: announcement, envelope: try announcement.signed(with: self.identity))
    }
}

extension PeerExchangeRequest {
    var exchange: ExchangeMessage? { if case .exchange(let message) = self { message } else { nil } }
    var announce: AnnounceMessage? { if case .announce(let message) = self { message } else { nil } }
}

extension ExchangeMessage {
    /// Whose records are added.
    var addedPeers: Set<PeerID> { Set(self.added.compactMap { bytes in try? SignedPeerRecord(decoding: bytes).peer }) }
}

/// A node on the memory network.
final class TestNode: Sendable {
    let identity: KeyPair
    let network: MemoryNetwork
    let swarm: Swarm
    let service: PeerExchange
    /// From the beginning, so that none is missed.
    private let events: SwarmEvents

    var peer: PeerID { self.identity.peerID }

    init(on network: MemoryNetwork, _ configure: (inout PeerExchangeConfiguration) -> Void = { _ in }) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let identity = try KeyPair.generate()
        let swarm = Swarm(
            identity: identity, transports: [MemoryTransport(network: network, group: group)], group: group, logger: Logger(label: "test"))
        try await swarm.listen(on: [Multiaddr("/memory/0")])
        var configuration = PeerExchangeConfiguration()
        configuration.exchangeInterval = .seconds(1)
        configuration.exchangesPerMinutePerPeer = 6000
        configuration.upkeepInterval = .milliseconds(20)
        configuration.connectsToLearnedPeers = false
        configuration.allowsPrivateAddresses = true
        configure(&configuration)
        self.identity = identity
        self.network = network
        self.swarm = swarm
        self.events = swarm.events
        let sequence = WallClock.nowMilliseconds
        self.service = PeerExchange(
            dialer: swarm, router: swarm, identity: identity, configuration: configuration,
            ownRecord: { try? PeerRecord(peer: identity.peerID, sequence: sequence, addresses: swarm.listenAddresses).sealed(with: identity) },
            logger: Logger(label: "test"))
    }

    func connect(to other: TestNode) async throws {
        _ = try await self.swarm.connect(to: other.peer, addresses: other.swarm.listenAddresses)
    }

    /// Tells the service what the swarm says.
    func follow() async {
        for await event in self.events {
            switch event {
            case .identified(let info):
                let record = info.signedPeerRecord.flatMap { try? SignedEnvelope(decoding: $0) }
                self.service.identified(info.peer, protocols: info.protocols, record: record, addresses: info.listenAddresses)
            case .disconnected(let peer): self.service.disconnected(peer)
            default: continue
            }
        }
    }

    func announce(_ key: RendezvousKey, isAvailable: Bool = true) throws {
        let announcement = ContentAnnouncement(
            peer: self.peer, key: key, isAvailable: isAvailable, timestampMilliseconds: WallClock.nowMilliseconds + (isAvailable ? 0 : 1))
        try self.service.announce(try announcement.signed(with: self.identity))
    }

    func holders(of key: RendezvousKey) async -> [ContentAnnouncement] {
        var found: [ContentAnnouncement] = []
        for await holder in self.service.findHolders(of: key) { found.append(holder) }
        return found
    }

    func knows(_ other: TestNode) -> Bool { self.service.knownPeers.contains { $0.peer == other.peer } }
}

/// Runs `body` while the nodes run, which they do when it begins, then ends them.
func running(_ nodes: [TestNode], body: @escaping @Sendable () async throws -> Void) async throws {
    let result = await withTaskGroup(of: Void.self) { group in
        for node in nodes {
            group.addTask { await node.follow() }
            group.addTask { try? await node.service.run() }
        }
        let result: Result<Void, any Error>
        do {
            try await eventually { nodes.allSatisfy { $0.service.isRunning } }
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        group.cancelAll()
        return result
    }
    for node in nodes { await node.swarm.shutdown() }
    for node in nodes {
        try await eventually { node.swarm.statistics.openConnections == 0 && node.service.statistics.inboundStreamCount == 0 }
    }
    try result.get()
}
