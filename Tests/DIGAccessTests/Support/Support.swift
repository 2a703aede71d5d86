import DIGAccess
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import Logging
import NIOCore
import NIOPosix
import Synchronization

func hash(_ number: UInt8) -> ContentHash { ContentHash(digest: SHA256Digest(hashing: [number])) }

struct NeverHappened: Error {}

/// A clock that stands until it is set.
final class TestClock: Sendable {
    private let milliseconds: Mutex<UInt64>

    init(_ milliseconds: UInt64 = 1_700_000_000_000) { self.milliseconds = Mutex(milliseconds) }

    var now: UInt64 { self.milliseconds.withLock { $0 } }
    func advance(_ duration: UInt64) { self.milliseconds.withLock { $0 += duration } }
}

/// A swarm in memory.
struct TestPeer: Sendable {
    let identity: KeyPair
    let swarm: Swarm

    init(on network: MemoryNetwork, identity: KeyPair? = nil) async throws {
        self.identity = try identity ?? KeyPair.generate()
        let group = MultiThreadedEventLoopGroup.singleton
        self.swarm = Swarm(
            identity: self.identity, transports: [MemoryTransport(network: network, group: group)], group: group, logger: Logger(label: "test"))
        try await self.swarm.listen(on: [Multiaddr("/memory/0")])
    }

    var peer: PeerID { self.identity.peerID }

    func connect(to other: TestPeer) async throws -> any Connection {
        try await self.swarm.connect(to: other.peer, addresses: other.swarm.listenAddresses)
    }
}

/// A host, its store and clock, and whoever connects to it.
final class HostFixture: Sendable {
    let network = MemoryNetwork()
    let store = MemoryAccessStore()
    let clock = TestClock()
    let host: TestPeer
    let access: AccessHost
    private let running: Task<Void, Never>

    init(policy: AccessPolicy = .trustedOnly, _ configure: (inout AccessConfiguration) -> Void = { _ in }) async throws {
        self.host = try await TestPeer(on: self.network)
        var configuration = AccessConfiguration()
        configuration.attemptsPerMinute = 1000
        configuration.maximumExchangeCountPerPeer = 64
        configure(&configuration)
        let (clock, access) = (
            self.clock,
            AccessHost(
                identity: self.host.identity, policy: policy, store: self.store, configuration: configuration, logger: Logger(label: "access"),
                nowMilliseconds: { [clock = self.clock] in clock.now })
        )
        _ = clock
        self.access = access
        access.register(on: self.host.swarm)
        self.running = Task { await access.run() }
    }

    deinit { self.running.cancel() }

    func client(_ identity: KeyPair? = nil) async throws -> (peer: TestPeer, connection: any Connection) {
        let peer = try await TestPeer(on: self.network, identity: identity)
        return (peer, try await peer.connect(to: self.host))
    }

    /// The host's end of the connection to `peer`.
    func connection(to peer: PeerID) async throws -> any Connection {
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if let connection = self.host.swarm.connection(to: peer) { return connection }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw NeverHappened()
    }

    func authenticate(_ connection: any Connection, _ credentials: AccessCredentials, for content: ContentHash? = nil) async throws -> AccessGrant {
        try await AccessClient(nowMilliseconds: { [clock = self.clock] in clock.now }).authenticate(on: connection, with: credentials, for: content)
    }

    /// What comes of an attempt: nil if it was accepted.
    func refusal(_ connection: any Connection, _ credentials: AccessCredentials, for content: ContentHash? = nil) async throws -> AccessError? {
        do {
            _ = try await self.authenticate(connection, credentials, for: content)
            return nil
        } catch let error as AccessError {
            return error
        }
    }
}
