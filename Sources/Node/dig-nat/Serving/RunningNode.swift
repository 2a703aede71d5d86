import DIGCircuitRelay
import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGGun
import DIGMultiformats
import DIGNatTools
import DIGTransfer
import DIGTraversal
import Foundation

/// A node that runs until it is stopped, and says what happens to it.
struct RunningNode: Sendable {
    private static let firstStatus: Duration = .seconds(2)
    private static let statusInterval: Duration = .seconds(60)

    let network: NetworkManager
    let console: Console
    /// Directories and files that are shared; absolute.
    var paths: [String] = []
    var names = false
    /// Says with each set of addresses how others use them.
    var isFirstContact = false
    /// Where addresses are kept for links that are made beside it.
    var known: KnownAddresses?

    /// Returns when the task is cancelled.
    func run() async throws {
        let host = FileHost(network: self.network)
        let reachability = ReachabilityReport(network: self.network, console: self.console, isFirstContact: self.isFirstContact, known: self.known)
        let watch = AnnouncementWatch(network: self.network, console: self.console)
        self.console.note("peer \(self.network.identity.peerID); press Ctrl-C to stop")
        let changes = self.network.traversal.environmentChanges
        await reachability.tell()
        do {
            for content in try await host.contents { await watch.add(content.contentHash, name: content.name) }
            do { try await host.announceEverything() } catch let error as DiscoveryError {
                self.console.warning("what is shared is not announced: \(error)")
            }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in changes { await reachability.tell() } }
                group.addTask { await self.tellStatus(reachability) }
                group.addTask { await self.follow(host.events, watch) }
                group.addTask { await watch.run() }
                if !self.paths.isEmpty { group.addTask { await self.share(by: host, watch) } }
                await group.waitForAll()
            }
        } catch {
            await host.stop()
            throw error
        }
        await host.stop()
    }

    private func tellStatus(_ reachability: ReachabilityReport) async {
        var wait = Self.firstStatus
        while true {
            do { try await Task.sleep(for: wait) } catch { return }
            if wait == Self.firstStatus, let gun = self.network.discovery.gun, self.network.configuration.discovery.gun?.listen.isEmpty == false, gun.status.listening.isEmpty {
                self.console.warning("this node is no relay of GUN: none of its addresses can be listened on; choose others with --gun-listen")
            }
            wait = Self.statusInterval
            // Listeners and ports that came without a change of the environment.
            await reachability.tell()
            let status = await NodeStatus(of: self.network)
            self.console.note(status.line)
            self.console.event(status.event)
        }
    }

    private func follow(_ events: AsyncStream<HostEvent>, _ watch: AnnouncementWatch) async {
        for await event in events {
            switch event {
            case .announced(let hash, let report): await watch.announced(hash, report)
            case .sha256Computed(let hash, let sha256):
                self.console.event(["event": "sha256", "contentHash": .string(hash.description), "sha256": .string(sha256.hex)])
            case .contentChanged(let hash):
                self.console.warning("\(hash) changed on disk and is not served any more; share it again")
                self.console.event(["event": "changed", "contentHash": .string(hash.description)])
            case .sessionEnded(let peer, let byteCounts):
                let total = byteCounts.values.reduce(0) { $0 &+ $1 }
                if total > 0 { self.console.note("sent \(ByteCount.text(total)) to \(peer)") }
                self.console.event(["event": "sent", "peer": .string("\(peer)"), "bytes": .unsigned(total)])
            }
        }
    }

    // MARK: Sharing

    /// At the start, and again at each SIGHUP, unless a terminal that goes away would send it.
    private func share(by host: FileHost, _ watch: AnnouncementWatch) async {
        let shared = SharedPaths(host: host, paths: self.paths, names: self.names, console: self.console, watch: watch)
        let isService = !Terminal(descriptor: 2, environment: ProcessInfo.processInfo.environment).isInteractive
        guard isService else { return await self.update(shared) }
        await Hangup.repeating { await self.update(shared) }
    }

    private func update(_ shared: SharedPaths) async {
        do {
            let change = try await shared.update()
            self.console.note(change.text)
            self.console.event(change.event)
        } catch is CancellationError {
            // The node is being stopped.
        } catch {
            self.console.warning("not everything is shared: \(error)")
        }
    }
}

/// Says where a node can be reached, and by whom, when it changes.
actor ReachabilityReport {
    private let network: NetworkManager
    private let console: Console
    private let isFirstContact: Bool
    private let known: KnownAddresses?
    private var addresses: [String] = []
    private var gun: [GunURL] = []
    private var tier: ConnectionTier?
    private var relays = false

    init(network: NetworkManager, console: Console, isFirstContact: Bool, known: KnownAddresses?) {
        self.network = network
        self.console = console
        self.isFirstContact = isFirstContact
        self.known = known
    }

    func tell() async {
        let environment = await self.network.traversal.environment
        let addresses = (self.isFirstContact ? LinkAddresses.select(self.network.addresses) : self.network.addresses).map(\.description)
        let gun = GunAddresses.reachable(self.network.discovery.gun?.status.listening ?? [], at: self.network.addresses)
        if addresses != self.addresses || gun != self.gun {
            if self.isFirstContact, addresses != self.addresses, !addresses.isEmpty { self.console.note("others begin here with --bootstrap and one of these:") }
            // The addresses alone are for pipes.
            let isNew = addresses != self.addresses
            self.addresses = addresses
            if isNew { self.known?.save(LinkAddresses.select(self.network.addresses)) }
            let event: JSONObject = [
                "event": "listening", "peer": .string("\(self.network.identity.peerID)"), "addresses": .array(addresses.map { .string($0) }),
                "gun": .array(gun.map { .string($0.description) }),
            ]
            if isNew { self.console.result(addresses.joined(separator: "\n"), event: event) } else { self.console.event(event) }
            if gun != self.gun, !gun.isEmpty { self.console.note("GUN at \(gun.map(\.description).joined(separator: ", ")), for --gun") }
            self.gun = gun
        }
        guard environment.tier != self.tier || environment.relayService.isEnabled != self.relays else { return }
        if environment.tier != self.tier, environment.tier != .unknown { self.console.note(Self.text(environment.tier)) }
        self.tier = environment.tier
        self.relays = environment.relayService.isEnabled
        self.console.event(["event": "reachability", "tier": .string(environment.tier.rawValue), "relays": .boolean(self.relays)])
    }

    private static func text(_ tier: ConnectionTier) -> String {
        switch tier {
        case .directCapable: "everybody can reach this node: it relays for others"
        case .natRestricted: "nobody reaches this node directly: it is reached by punching or through a relay"
        case .unknown: "nobody could be asked yet whether this node can be reached"
        }
    }
}
