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

@testable import DIGKademlia

extension KademliaKey {
    static func random(using generator: inout some RandomNumberGenerator) -> Self {
        Self(generator.next(), generator.next(), generator.next(), generator.next())
    }

    /// Shares exactly `prefixLength` bits with this one.
    func neighbour(sharing prefixLength: Int, using generator: inout some RandomNumberGenerator) -> Self {
        var bytes = Self.random(using: &generator).bytes
        let own = self.bytes
        for bit in 0...min(prefixLength, 255) {
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            let value = bit == prefixLength ? ~own[bit / 8] : own[bit / 8]
            bytes[bit / 8] = bytes[bit / 8] & ~mask | value & mask
        }
        return Self(bytes: bytes) ?? self
    }
}

extension PeerID {
    /// A name that nobody has a key for.
    static func random(using generator: inout some RandomNumberGenerator) throws -> Self {
        try Self(multihash: Multihash(code: .sha2_256, digest: KademliaKey.random(using: &generator).bytes))
    }
}

extension KademliaPeer {
    static func random(at address: Multiaddr? = nil, using generator: inout some RandomNumberGenerator) throws -> Self {
        Self(try .random(using: &generator), addresses: address.map { [$0] } ?? [])
    }

    /// At a place of the test's choice.
    static func at(_ key: KademliaKey, _ address: Multiaddr? = nil, using generator: inout some RandomNumberGenerator) throws -> Self {
        Self(try .random(using: &generator), key: key, addresses: address.map { [$0] } ?? [])
    }
}

func address(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> Multiaddr { Multiaddr(components: [.ip4(IPv4Address(a, b, c, d)), .tcp(4001)]) }

extension KademliaResponder.Moment {
    func after(_ duration: Duration) -> Self {
        Self(now: self.now + duration, milliseconds: self.milliseconds + UInt64(clamping: duration.components.seconds) * 1000)
    }
}

/// A node on the memory network.
final class TestNode: Sendable {
    let identity: KeyPair
    let swarm: Swarm
    let service: KademliaService
    let mailbox: DHTMailbox

    var peer: PeerID { self.identity.peerID }
    var addresses: [Multiaddr] { self.swarm.listenAddresses.map { $0.withPeerID(self.peer) } }

    /// - Parameter delay: One way, of whatever this node dials.
    init(
        on network: MemoryNetwork, name: String = "test", storage: (any KademliaStorage)? = nil, identity: KeyPair? = nil, delay: TimeAmount? = nil,
        _ configure: (inout KademliaConfiguration) -> Void = { _ in }
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let identity = try identity ?? KeyPair.generate()
        let transport = MemoryTransport(network: network, group: group)
        let swarm = Swarm(
            identity: identity, transports: [delay.map { DelayedTransport(base: transport, delay: $0) } ?? transport] as [any Transport], group: group,
            logger: Logger(label: "test"))
        try await swarm.listen(on: [Multiaddr("/memory/0")])
        var configuration = try KademliaConfiguration.privateNetwork(name)
        configuration.mode = .server
        configuration.requestTimeout = .seconds(10)
        configure(&configuration)
        self.identity = identity
        self.swarm = swarm
        self.service = KademliaService(
            dialer: swarm, router: swarm, identity: identity, configuration: configuration, storage: storage,
            localAddresses: { swarm.listenAddresses }, logger: Logger(label: "test"))
        var mailbox = DHTMailboxConfiguration()
        mailbox.pollInterval = .milliseconds(50)
        self.mailbox = DHTMailbox(service: self.service, configuration: mailbox, logger: Logger(label: "test"))
    }

    /// Tells the service what the swarm says.
    func follow() async {
        for await event in self.swarm.events {
            switch event {
            case .identified(let info): self.service.identified(info.peer, protocols: info.protocols, addresses: info.listenAddresses)
            case .disconnected(let peer): self.service.disconnected(peer)
            default: continue
            }
        }
    }
}

/// Runs `body` while the nodes run, then ends them.
func running(_ nodes: [TestNode], body: @escaping @Sendable () async throws -> Void) async throws {
    let result = await withTaskGroup(of: Void.self) { group in
        for node in nodes {
            group.addTask { await node.follow() }
            group.addTask { try? await node.service.run() }
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        group.cancelAll()
        return result
    }
    for node in nodes { await node.swarm.shutdown() }
    for node in nodes {
        try await eventually { node.swarm.statistics.openConnections == 0 && node.service.statistics.inboundStreamCount == 0 }
    }
    try result.get()
}
