public import DIGAvailability
public import DIGContent
public import DIGDiscovery
public import DIGGun
public import DIGIdentity
public import DIGKademlia
public import DIGMultiformats
public import DIGPeerExchange
import DIGAnnouncement
public import Logging
import Synchronization

/// The whitepaper's names for what joins discovery with availability: who is found is filtered and ranked, and what is met with flows back.
///
///     let integration = DiscoveryContentIntegration(network: network)
///     integration.start()
///     let peers = integration.filterPeersByContentStatus(found, hash)
///
/// Over a node there is nothing to register: its own ways of discovery are joined already. Whoever has parts of their own registers them before
/// ``start()``:
///
///     let integration = DiscoveryContentIntegration(availability: manager, identity: identity, logger: logger)
///     integration.registerDHTClient(dht)
///     integration.registerPEXManager(exchange)
///     integration.start()
public final class DiscoveryContentIntegration: Sendable {
    private struct State {
        var mechanisms: [any DiscoveryMechanism] = []
        var tasks: [Task<Void, Never>] = []
    }

    /// What it filters by and reports to.
    public let availability: ContentAvailabilityManager
    private let identity: KeyPair
    private let addresses: @Sendable () -> [Multiaddr]
    private let logger: Logger
    private let state = Mutex(State())

    /// Over a running node; whoever made it starts and stops it.
    public convenience init(network: NetworkManager) {
        self.init(availability: network.availability, identity: network.identity, addresses: { network.swarm.announcedAddresses }, logger: network.logger)
    }

    /// Over parts.
    ///
    /// - Parameters:
    ///   - availability: Runs on its own.
    ///   - addresses: Where this node can be reached.
    public init(
        availability: ContentAvailabilityManager, identity: KeyPair, addresses: @escaping @Sendable () -> [Multiaddr] = { [] }, logger: Logger
    ) {
        self.availability = availability
        self.identity = identity
        self.addresses = addresses
        self.logger = logger
    }

    // MARK: Parts

    /// - Parameter client: Runs on its own.
    public func registerDHTClient(_ client: KademliaService) { self.register(KademliaMechanism(client)) }

    /// - Parameter manager: Runs on its own.
    public func registerPEXManager(_ manager: PeerExchange) {
        self.register(PeerExchangeMechanism(manager, identity: self.identity, addresses: self.addresses))
    }

    /// - Parameters:
    ///   - discovery: Runs on its own.
    ///   - peer: The one that it uses.
    public func registerGunDiscovery(_ discovery: GunDiscovery, peer: GunPeer) { self.register(GunMechanism(discovery, peer: peer)) }

    /// Any other way, or one in another form; one of the same source takes the place of the one before.
    public func register(_ mechanism: any DiscoveryMechanism) {
        self.state.withLock { state in
            state.mechanisms.removeAll { $0.source == mechanism.source }
            state.mechanisms.append(mechanism)
        }
    }

    // MARK: Life cycle

    /// Believes from now on what the registered parts hear, as far as it is signed. Again after ``stop()``, if wanted.
    public func start() {
        self.state.withLock { state in
            guard state.tasks.isEmpty else { return }
            state.tasks = state.mechanisms.map { mechanism in
                let heard = mechanism.heard
                return Task { [availability, logger] in
                    for await envelope in heard {
                        do throws(AvailabilityError) { try availability.received(announcement: envelope) } catch {
                            logger.debug("an announcement is not believed", metadata: ["dig.availability.error": "\(error)"])
                        }
                    }
                }
            }
        }
    }

    public func stop() {
        let tasks = self.state.withLock { state in
            defer { state.tasks = [] }
            return state.tasks
        }
        for task in tasks { task.cancel() }
    }

    // MARK: Whom to use

    /// Those that have the content, as far as is known: available ones first, then suspect ones; unavailable ones are left out.
    public func filterPeersByContentStatus(_ peers: [PeerID], _ hash: ContentHash) -> [PeerID] { self.availability.filterPeersByContentStatus(peers, for: hash) }

    /// Asks the registered parts, each for what it knows now, and filters what they find.
    public func findPeers(_ hash: ContentHash) async throws -> [PeerID] {
        let manager = try PeerDiscoveryManager(self.state.withLock { $0.mechanisms }, localPeer: self.identity.peerID, logger: self.logger)
        var found: [PeerID] = []
        for await case .found(let holder) in manager.find(RendezvousKey(hash)) {
            if holder.isClaimed {
                // Where there is no room for it, it is one whose claim nobody knows.
                do throws(AvailabilityError) { try self.availability.claimed(by: holder.peer, content: hash) } catch {}
            }
            if !found.contains(holder.peer) { found.append(holder.peer) }
        }
        return self.filterPeersByContentStatus(found, hash)
    }

    // MARK: What was met with

    public func updatePeerReputation(_ peer: PeerID, _ success: Bool) { self.availability.updatePeerReputation(peer, success: success) }

    /// Tells others, signed, that the peer does not have what it claims.
    ///
    /// - Throws: As ``DIGAvailability/ContentAvailabilityManager/reportContentUnavailable(_:_:reason:detail:)``.
    public func reportContentUnavailable(_ peer: PeerID, _ hash: ContentHash) async throws { try await self.availability.reportContentUnavailable(peer, hash) }
}
