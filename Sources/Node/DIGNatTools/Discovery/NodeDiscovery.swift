public import DIGDiscovery
public import DIGGossipSub
public import DIGGun
import DIGHolePunching
public import DIGIdentity
public import DIGKademlia
public import DIGLocalDiscovery
import DIGMultiformats
import DIGNet
public import DIGPeerExchange
import DIGStorage
import DIGSwarm
import Logging
import NIOCore
import ServiceLifecycle

/// The ways by which a node finds peers and is found, each on its own and all together as ``manager``.
public final class NodeDiscovery: Sendable {
    /// Asks and announces by all of them at once.
    public let manager: PeerDiscoveryManager
    /// The DHT of this software, the whitepaper's `getDHTClient()`. Nil if switched off.
    public let dht: KademliaService?
    /// The DHT of libp2p and IPFS. Nil if switched off.
    public let publicDHT: KademliaService?
    /// The whitepaper's `getPEXManager()`. Nil if switched off.
    public let peerExchange: PeerExchange?
    /// Nil if switched off.
    public let gossip: GossipSub?
    /// This node's place in the GUN network. Nil if switched off.
    public let gun: GunPeer?
    /// The whitepaper's `getGunDiscovery()`. Nil if GUN is switched off.
    public let gunDiscovery: GunDiscovery?
    /// Nil if switched off.
    public let local: LocalDiscovery?

    /// Ways to agree on a moment with a peer that no relay connects to.
    let signaling: [any Signaling]
    private let mailboxes: [(String, any Service)]
    private let bootstrap: BootstrapConnections
    private let firstContacts: FirstContactWatch?
    private let rendezvous: PublicRendezvous?
    let gossipMechanism: GossipMechanism?
    private let configuration: NodeDiscoveryConfiguration

    init(
        swarm: Swarm, identity: KeyPair, configuration: NodeDiscoveryConfiguration, contentLifetime: Duration, reannounceInterval: Duration,
        addressPolicy: AddressPolicy, local: LocalDiscovery?, database: NodeDatabase, group: any EventLoopGroup, logger: Logger
    ) throws {
        self.configuration = configuration
        let addresses: @Sendable () -> [Multiaddr] = { swarm.announcedAddresses }
        func kademlia(_ configuration: KademliaConfiguration?, first: [Multiaddr] = []) -> KademliaService? {
            guard var configuration else { return nil }
            configuration.addressPolicy = addressPolicy
            configuration.bootstrapPeers += first
            // What is shared is announced from the list of what is shared.
            configuration.remembersProvided = false
            return KademliaService(
                dialer: swarm, router: swarm, identity: identity, configuration: configuration, storage: SQLiteKademliaStorage(database: database),
                localAddresses: addresses, logger: logger)
        }
        var dht = configuration.dht
        dht?.publishesOverlayAddress = true
        self.dht = kademlia(dht, first: configuration.bootstrapPeers)
        self.publicDHT = kademlia(configuration.publicDHT)
        self.local = local

        self.peerExchange = configuration.peerExchange.map { exchange in
            var exchange = exchange
            exchange.addressPolicy = addressPolicy
            return PeerExchange(
                dialer: swarm, router: swarm, identity: identity, configuration: exchange, ownRecord: { Self.envelope(swarm.ownPeerRecord) }, logger: logger)
        }
        self.gossip = configuration.gossip.map { gossip in
            var gossip = gossip
            gossip.addressPolicy = addressPolicy
            return GossipSub(dialer: swarm, router: swarm, identity: identity, configuration: gossip, logger: logger)
        }

        var signaling: [any Signaling] = []
        var mailboxes: [(String, any Service)] = []
        if var gun = configuration.gun {
            gun.addressPolicy = addressPolicy
            let peer = GunPeer(
                configuration: gun, guards: GunNamespace.standard.guards, storage: SQLiteGunStorage(database: database), group: group, logger: logger)
            var discovery = GunDiscoveryConfiguration()
            discovery.isPersistenceEnabled = false
            discovery.announcementLifetime = contentLifetime
            discovery.reannounceInterval = min(discovery.reannounceInterval, reannounceInterval)
            self.gun = peer
            self.gunDiscovery = GunDiscovery(peer: peer, identity: identity, addresses: addresses, configuration: discovery, logger: logger)
            let mailbox = GunSignaling(peer: peer, identity: identity, logger: logger)
            signaling.append(mailbox)
            mailboxes.append(("GUN mailbox", mailbox))
        } else {
            self.gun = nil
            self.gunDiscovery = nil
        }
        if let dht = self.dht {
            let mailbox = DHTMailbox(service: dht, logger: logger)
            signaling.append(mailbox)
            mailboxes.append(("DHT mailbox", mailbox))
        }
        self.signaling = signaling
        self.mailboxes = mailboxes

        var mechanisms: [any DiscoveryMechanism] = []
        if let local { mechanisms.append(LocalMechanism(local, probe: LocalProbe.make(swarm))) }
        if let peerExchange = self.peerExchange { mechanisms.append(PeerExchangeMechanism(peerExchange, identity: identity, addresses: addresses, lifetime: contentLifetime)) }
        self.gossipMechanism = self.gossip.map { GossipMechanism($0, identity: identity, addresses: addresses, lifetime: contentLifetime, logger: logger) }
        if let gossip = self.gossipMechanism { mechanisms.append(gossip) }
        if let gun = self.gun, let discovery = self.gunDiscovery { mechanisms.append(GunMechanism(discovery, peer: gun)) }
        if let dht = self.dht { mechanisms.append(KademliaMechanism(dht, source: .dht)) }
        if let dht = self.publicDHT { mechanisms.append(KademliaMechanism(dht, source: .publicDHT)) }
        var announcing = DiscoveryConfiguration()
        announcing.announcementLifetime = contentLifetime
        announcing.reannounceInterval = reannounceInterval
        self.manager = try PeerDiscoveryManager(mechanisms, localPeer: identity.peerID, configuration: announcing, logger: logger)

        self.bootstrap = BootstrapConnections(swarm: swarm, addresses: configuration.bootstrapPeers, logger: logger)
        self.firstContacts = self.peerExchange.map { [bootstrap, dht = self.dht, publicDHT = self.publicDHT] exchange in
            FirstContactWatch(exchange: exchange, bootstrap: bootstrap, dhts: [dht, publicDHT].compactMap { $0 }, looksAround: local != nil, swarm: swarm)
        }
        if let dht = self.dht, let publicDHT = self.publicDHT {
            self.rendezvous = PublicRendezvous(network: dht.protocolID, publicDHT: publicDHT, dht: dht, swarm: swarm, logger: logger)
        } else {
            self.rendezvous = nil
        }
    }

    /// What runs while the node does, with names for the log.
    var parts: [(String, any Service)] {
        var parts: [(String, any Service)] = [("first contacts", self.bootstrap), ("discovery", self.manager)]
        if let local = self.local { parts.append(("local discovery", local)) }
        if let dht = self.dht { parts.append(("DHT", dht)) }
        if let dht = self.publicDHT { parts.append(("public DHT", dht)) }
        if let exchange = self.peerExchange { parts.append(("peer exchange", exchange)) }
        if let contacts = self.firstContacts { parts.append(("watch over first contacts", contacts)) }
        if let gossip = self.gossip { parts.append(("gossip", gossip)) }
        if let gossip = self.gossipMechanism { parts.append(("gossip of contents", gossip)) }
        if let gun = self.gun { parts.append(("GUN", gun)) }
        if let gun = self.gunDiscovery { parts.append(("announcements in GUN", gun)) }
        if let rendezvous = self.rendezvous { parts.append(("meeting in the public DHT", rendezvous)) }
        return parts + self.mailboxes
    }

    /// Where a peer is, for one of which no more is known than its name. On strangers' words.
    func addresses(of peer: PeerID) async -> [Multiaddr] {
        await withTaskGroup(of: [Multiaddr].self) { group in
            for dht in [self.dht, self.publicDHT].compactMap({ $0 }) {
                group.addTask {
                    do { return try await dht.findPeer(peer)?.addresses ?? [] } catch { return [] }
                }
            }
            for await addresses in group where !addresses.isEmpty {
                group.cancelAll()
                return addresses
            }
            return []
        }
    }

    /// The peer that an overlay address names, and where it is, by its own word. Nil if the DHT has not heard of it, or is off.
    ///
    /// - Throws: `KademliaError` with `.noPeers`; `CancellationError`.
    public func findPeer(_ address: OverlayAddress) async throws -> KademliaPeer? { try await self.dht?.findPeer(address) }

    // MARK: What the node tells

    func handle(_ event: SwarmEvent) {
        switch event {
        case .identified(let info):
            self.dht?.identified(info.peer, protocols: info.protocols, addresses: info.listenAddresses)
            self.publicDHT?.identified(info.peer, protocols: info.protocols, addresses: info.listenAddresses)
            self.peerExchange?.identified(
                info.peer, protocols: info.protocols, record: Self.envelope(info.signedPeerRecord), addresses: info.listenAddresses)
            self.gossip?.identified(info.peer, protocols: info.protocols, signedRecord: info.signedPeerRecord)
            // There may be somebody to ask and to tell now.
            self.manager.searchAgain()
            self.manager.announceAgain()
        case .disconnected(let peer):
            self.dht?.disconnected(peer)
            self.publicDHT?.disconnected(peer)
            self.peerExchange?.disconnected(peer)
            self.gossip?.disconnected(peer)
        case .connected, .upgraded, .observed, .listenAddressesChanged: break
        }
    }

    /// Nil without one, or if it is no envelope.
    private static func envelope(_ record: [UInt8]?) -> SignedEnvelope? {
        guard let record else { return nil }
        do { return try SignedEnvelope(decoding: record) } catch { return nil }
    }

    /// Peers are told the new addresses.
    func addressesChanged() { self.manager.announceAgain(everything: true) }

    /// - Parameter isReachable: Whether everybody gets through to this node, by proof.
    func setReachable(_ isReachable: Bool) {
        let serves =
            switch self.configuration.dhtDuty {
            case .auto: isReachable
            case .always: true
            case .never: false
            }
        self.dht?.setMode(serves ? .server : .client)
        self.publicDHT?.setMode(serves ? .server : .client)
    }
}
