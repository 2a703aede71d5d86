import DIGAnnouncement
import DIGAvailability
import DIGContent
import DIGDiscovery
import DIGGossipSub
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSTUN
import DIGStorage
import DIGSwarm
import DIGTransfer
import DIGTraversal
import Logging
import ServiceLifecycle
import Synchronization

/// Who really has what, joined with the rest of the node: what discovery hears goes in, holders are asked for proofs over the node's connections, reports go out
/// to connected peers and into gossip, and what changed on disk here is withdrawn.
final class NodeAvailability: Service {
    /// Reports on their way at a time; more are believed here and not told.
    private static let maximumReportCount = 64
    /// Looking up a holder of whom only the name is known.
    private static let searchTimeout: Duration = .seconds(5)

    private struct State {
        var addresses = HolderAddresses()
        var gossip = GossipReports()
        var reports: [UInt64: Task<Void, Never>] = [:]
        var nextReport: UInt64 = 0
        var authenticator: (any PeerAuthenticator)?
    }

    let manager: ContentAvailabilityManager
    let exchange: AvailabilityExchange
    let swarm: Swarm
    private let traversal: NATTraversalManager
    private let discovery: NodeDiscovery
    private let contents: ContentRegistry
    private let changedContents: AsyncStream<ContentHash>
    private let allowsPrivateAddresses: Bool
    private let logger: Logger
    private let state: Mutex<State>

    /// - Parameter changedContents: What is found not to be on disk as it was hashed.
    init(
        swarm: Swarm, identity: KeyPair, traversal: NATTraversalManager, discovery: NodeDiscovery, contents: ContentRegistry, changedContents: AsyncStream<ContentHash>,
        database: NodeDatabase, configuration: NodeConfiguration, logger: Logger
    ) {
        self.swarm = swarm
        self.traversal = traversal
        self.discovery = discovery
        self.contents = contents
        self.changedContents = changedContents
        self.allowsPrivateAddresses = configuration.discovery.allowsPrivateAddresses
        self.logger = logger
        self.state = Mutex(State())
        self.exchange = AvailabilityExchange(dialer: swarm, router: swarm, logger: logger)
        // The prover asks this object, which is made of the manager.
        let own = Reference()
        let prover = TransferProver(
            swarm: swarm,
            connect: { peer, content in
                guard let node = own.node else { throw CancellationError() }
                return try await node.connect(to: peer, holding: content)
            },
            authenticator: { own.node?.state.withLock { $0.authenticator } })
        self.manager = ContentAvailabilityManager(
            identity: identity, prover: prover, announcer: DiscoveryAnnouncer(manager: discovery.manager),
            reports: ReportSpreader(exchange: self.exchange, gossip: discovery.gossipMechanism, logger: logger), store: SQLiteAvailabilityStore(database: database),
            configuration: configuration.availability, addresses: { swarm.announcedAddresses }, logger: logger)
        self.exchange.attach(self.manager)
        own.set(self)
        discovery.gossipMechanism?.judgeOthers { [weak self] envelope in self?.judge(envelope) ?? .ignore }
    }

    private final class Reference: Sendable {
        private struct Weak { weak var node: NodeAvailability? }
        private let value = Mutex(Weak())
        var node: NodeAvailability? { self.value.withLock { $0.node } }
        func set(_ node: NodeAvailability) { self.value.withLock { $0.node = node } }
    }

    /// Who proves this node's identity to holders that ask for it.
    func setAuthenticator(_ authenticator: any PeerAuthenticator) { self.state.withLock { $0.authenticator = authenticator } }

    // MARK: Running

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            for (name, part) in [("availability", self.manager), ("availability exchange", self.exchange)] as [(String, any Service)] {
                group.addTask {
                    do { try await part.run() } catch {
                        self.logger.info("a part of the node is off", metadata: ["dig.node.part": "\(name)", "dig.node.error": "\(error)"])
                    }
                }
            }
            group.addTask { await self.discovery.manager.listen { self.heard($0) } }
            group.addTask { for await hash in self.changedContents { await self.withdrawIfGone(hash) } }
            // It throws when the task is cancelled, which ends this as well.
            do { try await gracefulShutdown() } catch {}
            group.cancelAll()
        }
    }

    func handle(_ event: SwarmEvent) {
        switch event {
        case .identified(let info): self.exchange.identified(info.peer, protocols: info.protocols)
        case .disconnected(let peer): self.exchange.disconnected(peer)
        case .connected, .upgraded, .observed, .listenAddressesChanged: break
        }
    }

    // MARK: What others say

    /// An announcement or withdrawal that discovery has heard.
    func heard(_ envelope: SignedEnvelope) {
        do throws(AvailabilityError) {
            let heard = try self.manager.heard(announcement: envelope)
            // One that came by another way before is no news, but where its author is may be known by no other way.
            if let refusal = heard.refusal, refusal != .replayed { throw refusal }
            self.note(heard.announcement.addresses, of: heard.announcement.peer)
        } catch {
            self.logger.debug("an announcement is not believed", metadata: ["dig.availability.error": "\(error)"])
        }
    }

    func note(_ addresses: [Multiaddr], of peer: PeerID) { self.state.withLock { $0.addresses.note(addresses, of: peer) } }

    private func judge(_ envelope: SignedEnvelope) -> GossipVerdict {
        guard envelope.payloadType == AvailabilityReport.payloadType else { return .ignore }
        var refusal: AvailabilityError?
        do throws(AvailabilityError) { try self.manager.received(report: envelope) } catch { refusal = error }
        let isKnown = refusal == .replayed && self.manager.knows(envelope)
        return self.state.withLock { $0.gossip.verdict(on: envelope, refusal: refusal, isKnown: isKnown) }
    }

    // MARK: What this node says

    /// Believes here that the peer does not have what it claims, and tells others in the background.
    func report(_ peer: PeerID, _ content: ContentHash, _ reason: AvailabilityReport.Reason) {
        self.state.withLock { state in
            guard state.reports.count < Self.maximumReportCount else { return }
            let id = state.nextReport
            state.nextReport += 1
            state.reports[id] = Task {
                do { try await self.manager.reportContentUnavailable(peer, content, reason: reason) } catch {
                    self.logger.debug("a report is not told", metadata: ["dig.availability.error": "\(error)"])
                }
                self.state.withLock { _ = $0.reports.removeValue(forKey: id) }
            }
        }
    }

    /// Waits until the reports under way are told, or given up; cancelling gives them up.
    func settle() async {
        let tasks = self.state.withLock { Array($0.reports.values) }
        await withTaskCancellationHandler {
            for task in tasks { await task.value }
        } onCancel: {
            for task in tasks { task.cancel() }
        }
    }

    /// A file here is not as it was hashed any more; what is nowhere here is not to be announced.
    private func withdrawIfGone(_ hash: ContentHash) async {
        let key = RendezvousKey(hash)
        do {
            guard try await self.contents.content(for: hash) == nil, self.discovery.manager.announcement(of: key) != nil else { return }
            _ = try await self.discovery.manager.withdraw(key)
        } catch {
            self.logger.debug("a content that is gone is not withdrawn", metadata: ["dig.node.error": "\(error)"])
        }
    }

    // MARK: Connections

    func path(to peer: PeerID) -> HolderCandidate.Path {
        let addresses = self.state.withLock { $0.addresses[peer] }
        guard !addresses.isEmpty else { return .unknown }
        return addresses.contains { !$0.components.contains(.p2pCircuit) } ? .direct : .relayed
    }

    /// By its own word.
    func nat(of peer: PeerID) -> HolderCandidate.NAT {
        guard let record = self.traversal.capabilities.record(of: peer, now: WallClock.nowMilliseconds) else { return .unknown }
        return switch record.mapping {
        case .endpointIndependent: .endpointIndependent
        case .addressDependent: .addressDependent
        case .addressAndPortDependent: .symmetric
        case .unknown: .unknown
        }
    }

    /// Whether this node is connected with anybody else: then a peer that can't be reached is to blame itself.
    func reachesOthers(than peer: PeerID) -> Bool { self.swarm.connections.contains { $0.remotePeer != peer } }

    /// For a question to a holder of whom others have told.
    private func connect(to peer: PeerID, holding content: ContentHash) async throws -> any Connection {
        if let open = self.swarm.connection(to: peer) { return open }
        var addresses = self.state.withLock { $0.addresses[peer] }
        if addresses.isEmpty { addresses = await self.addresses(of: peer, holding: content) }
        return try await self.traversal.connect(to: peer, addresses: addresses, source: self.allowsPrivateAddresses ? .user : .stranger).connection
    }

    /// Looks who has the content, until the peer is among them; and in the DHT.
    private func addresses(of peer: PeerID, holding content: ContentHash) async -> [Multiaddr] {
        await withTaskGroup(of: [Multiaddr]?.self) { group in
            group.addTask {
                for await case .found(let holder) in self.discovery.manager.find(RendezvousKey(content)) where holder.peer == peer && !holder.addresses.isEmpty {
                    return holder.addresses
                }
                return []
            }
            group.addTask { await self.discovery.addresses(of: peer) }
            group.addTask {
                // Ends early only when it is cancelled.
                try? await Task.sleep(for: Self.searchTimeout)
                return nil
            }
            defer { group.cancelAll() }
            var answerCount = 0
            for await addresses in group {
                guard let addresses, addresses.isEmpty, answerCount == 0 else { return addresses ?? [] }
                answerCount += 1
            }
            return []
        }
    }
}
