import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import DIGAutoNAT

/// The nodes of one test, on the loopback interface.
final class Nodes: Sendable {
    let group = MultiThreadedEventLoopGroup.singleton
    private let all = Mutex<[Swarm]>([])

    /// - Parameter address: Where it listens; nil: nowhere.
    func make(listeningOn address: String? = "/ip4/127.0.0.1/tcp/0") async throws -> Swarm {
        let swarm = Swarm(
            identity: try KeyPair.generate(), transports: [TCPTransport(group: self.group)], group: self.group, logger: Logger(label: "test"))
        self.all.withLock { $0.append(swarm) }
        if let address { try await swarm.listen(on: [Multiaddr(address)]) }
        return swarm
    }

    func end() async {
        for node in self.all.withLock({ $0 }) { await node.shutdown() }
    }
}

/// Runs `body` with nodes that are ended afterwards.
func withNodes(_ body: (Nodes) async throws -> Void) async throws {
    let nodes = Nodes()
    do {
        try await body(nodes)
    } catch {
        await nodes.end()
        throw error
    }
    await nodes.end()
}

/// Runs `service` while `body` does.
func running(_ services: [@Sendable () async throws -> Void], _ body: @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for service in services { group.addTask { try await service() } }
        do {
            try await body()
        } catch {
            group.cancelAll()
            throw error
        }
        group.cancelAll()
    }
}

/// A swarm's dials, written down. Loopback addresses may be dialed on a stranger's word, which the swarm would refuse.
final class WatchedDialer: PeerDialer {
    struct Dial: Sendable {
        var peer: PeerID
        var addresses: [Multiaddr]
        var options: DialOptions
    }

    private let swarm: Swarm
    private let made = Mutex<[Dial]>([])

    init(_ swarm: Swarm) { self.swarm = swarm }

    var dials: [Dial] { self.made.withLock { $0 } }
    var localPeer: PeerID { self.swarm.localPeer }

    func connection(to peer: PeerID) -> (any Connection)? { self.swarm.connection(to: peer) }

    func connect(to peer: PeerID, addresses: [Multiaddr], options: DialOptions) async throws -> any Connection {
        self.made.withLock { $0.append(Dial(peer: peer, addresses: addresses, options: options)) }
        var options = options
        options.source = .user
        return try await self.swarm.connect(to: peer, addresses: addresses, options: options)
    }
}

/// Knows what is registered with a swarm; without one, routes nothing.
final class WatchedRouter: StreamRouter {
    private let swarm: Swarm?
    private let ids = Mutex<Set<ProtocolID>>([])

    init(_ swarm: Swarm? = nil) { self.swarm = swarm }

    var registered: Set<ProtocolID> { self.ids.withLock { $0 } }

    func register(_ id: ProtocolID, handler: @escaping StreamHandler) {
        self.swarm?.register(id, handler: handler)
        self.ids.withLock { _ = $0.insert(id) }
    }

    func unregister(_ id: ProtocolID) {
        self.swarm?.unregister(id)
        self.ids.withLock { _ = $0.remove(id) }
    }
}

extension DialBackPolicy {
    /// The loopback interface of a test is its internet.
    static let loopback = DialBackPolicy(
        isPublic: { address in
            guard case .ip4(let ip)? = address.components.first else { return false }
            return ip.scope == .loopback
        }, canDial: DialBackPolicy.isPlainTCP)
}

extension Swarm {
    var address: Multiaddr {
        get throws { try self.listenAddresses.first ?? Multiaddr("/ip4/127.0.0.1/tcp/1") }
    }

    func connect(to other: Swarm) async throws -> any Connection {
        try await self.connect(to: other.localPeer, addresses: other.listenAddresses)
    }
}

