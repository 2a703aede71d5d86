import DIGAnnouncement
import DIGGossipSub
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGPeerExchange
import DIGSwarm
import DIGTestSupport
import Logging
import NIOPosix

@testable import DIGDiscovery

/// A node on the memory network, with every mechanism that needs connections to peers.
final class TestNode: Sendable {
    static let address = Multiaddr(components: [.ip4(IPv4Address(203, 0, 113, 9)), .tcp(4001)])

    let identity: KeyPair
    let swarm: Swarm
    let kademlia: KademliaService
    let exchange: PeerExchange
    let gossip: GossipSub
    let availability: GossipMechanism

    var peer: PeerID { self.identity.peerID }

    init(on network: MemoryNetwork) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let identity = try KeyPair.generate()
        let swarm = Swarm(
            identity: identity, transports: [MemoryTransport(network: network, group: group)], group: group, logger: Fixture.logger)
        try await swarm.listen(on: [Multiaddr("/memory/0")])
        var kademlia = try KademliaConfiguration.privateNetwork("test")
        kademlia.mode = .server
        var gossip = GossipSubConfiguration()
        gossip.heartbeatInterval = .milliseconds(50)
        self.identity = identity
        self.swarm = swarm
        self.kademlia = KademliaService(
            dialer: swarm, router: swarm, identity: identity, configuration: kademlia, localAddresses: { swarm.listenAddresses }, logger: Fixture.logger)
        self.exchange = PeerExchange(dialer: swarm, router: swarm, identity: identity, ownRecord: { nil }, logger: Fixture.logger)
        self.gossip = GossipSub(dialer: swarm, router: swarm, identity: identity, configuration: gossip, logger: Fixture.logger)
        self.availability = GossipMechanism(self.gossip, identity: identity, addresses: { [Self.address] }, logger: Fixture.logger)
    }

    /// A manager with one mechanism.
    func manager(_ source: DiscoverySource) throws -> PeerDiscoveryManager {
        let mechanism: any DiscoveryMechanism =
            switch source {
            case .pex: PeerExchangeMechanism(self.exchange, identity: self.identity, addresses: { [Self.address] })
            case .gossip: self.availability
            default: KademliaMechanism(self.kademlia, source: source)
            }
        var configuration = DiscoveryConfiguration()
        configuration.listeningTime = .milliseconds(100)
        return try PeerDiscoveryManager([mechanism], localPeer: self.peer, configuration: configuration, logger: Fixture.logger)
    }

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.follow() }
            group.addTask { try? await self.kademlia.run() }
            group.addTask { try? await self.exchange.run() }
            group.addTask { try? await self.gossip.run() }
            group.addTask { try? await self.availability.run() }
        }
    }

    /// Tells the services what the swarm says.
    private func follow() async {
        for await event in self.swarm.events {
            switch event {
            case .identified(let info):
                self.kademlia.identified(info.peer, protocols: info.protocols, addresses: info.listenAddresses)
                self.exchange.identified(
                    info.peer, protocols: info.protocols, record: info.signedPeerRecord.flatMap { try? SignedEnvelope(decoding: $0) },
                    addresses: info.listenAddresses)
                self.gossip.identified(info.peer, protocols: info.protocols, signedRecord: info.signedPeerRecord)
            case .disconnected(let peer):
                self.kademlia.disconnected(peer)
                self.exchange.disconnected(peer)
                self.gossip.disconnected(peer)
            default: continue
            }
        }
    }

    /// Runs `body` while `count` nodes run, each connected to the next one.
    static func running(_ count: Int, body: @escaping @Sendable ([TestNode]) async throws -> Void) async throws {
        let network = MemoryNetwork()
        var nodes: [TestNode] = []
        for _ in 0..<count { nodes.append(try await TestNode(on: network)) }
        let all = nodes
        let result = await withTaskGroup(of: Void.self) { group in
            for node in all { group.addTask { await node.run() } }
            let result: Result<Void, any Error>
            do {
                // The protocols are there before anybody asks for them.
                for node in all {
                    try await eventually { node.gossip.topics == [GossipMechanism.topic] }
                }
                for (one, other) in zip(all, all.dropFirst()) {
                    _ = try await one.swarm.connect(to: other.peer, addresses: other.swarm.listenAddresses)
                }
                result = .success(try await body(all))
            } catch {
                result = .failure(error)
            }
            group.cancelAll()
            return result
        }
        for node in all { await node.swarm.shutdown() }
        try result.get()
    }
}

extension PeerDiscoveryManager {
    /// Everybody who says to have it, once no mechanism has more to say.
    func holders(of key: RendezvousKey) async -> [DiscoveredHolder] {
        var holders: [PeerID: DiscoveredHolder] = [:]
        for await case .found(let holder) in self.find(key) where holder.isClaimed { holders[holder.peer] = holder }
        return Array(holders.values)
    }
}
