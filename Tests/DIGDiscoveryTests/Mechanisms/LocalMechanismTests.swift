import DIGAnnouncement
import DIGIdentity
import DIGLocalDiscovery
import DIGMultiformats
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGDiscovery

/// Real sockets on the loopback interface, on a port of their own.
@Suite("Local mechanism", .timeLimit(.minutes(1)))
struct LocalMechanismTests {
    /// Runs `body` with two nodes that see each other.
    ///
    /// - Parameter answers: The other answers for contents.
    private func pair(answers: Bool = false, _ body: (_ here: LocalDiscovery, _ other: PeerID, _ there: LocalDiscovery) async throws -> Void) async throws {
        let channel = try await DatagramBootstrap(group: .singletonMultiThreadedEventLoopGroup).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port.flatMap { UInt16(exactly: $0) })
        let (here, other) = (try KeyPair.generate().peerID, try KeyPair.generate().peerID)
        let nodes = [here, other].map { peer in
            var configuration = LocalDiscoveryConfiguration()
            configuration.port = port
            configuration.interfaces = .loopback
            configuration.answersForContents = answers || peer == here
            return LocalDiscovery(
                identity: peer, addresses: { [Multiaddr(components: [.ip4(IPv4Address(127, 0, 0, 1)), .tcp(4001)])] }, configuration: configuration,
                group: .singletonMultiThreadedEventLoopGroup, logger: Fixture.logger)
        }
        let runs = nodes.map { node in Task { try await node.run() } }
        let result: Result<Void, any Error>
        do {
            try await eventually { nodes[0].peers.map(\.peer) == [other] }
            result = .success(try await body(nodes[0], other, nodes[1]))
        } catch {
            result = .failure(error)
        }
        for run in runs { run.cancel() }
        for run in runs { try await run.value }
        try await channel.close()
        try result.get()
    }

    private func manager(_ mechanism: LocalMechanism) throws -> PeerDiscoveryManager {
        var configuration = DiscoveryConfiguration()
        configuration.listeningTime = .milliseconds(300)
        return try PeerDiscoveryManager([mechanism], localPeer: Fixture.ourselves, configuration: configuration, logger: Fixture.logger)
    }

    private func found(_ manager: PeerDiscoveryManager) async -> [DiscoveredHolder] {
        var holders: [DiscoveredHolder] = []
        for await case .found(let holder) in manager.find(Fixture.key(1)) { holders.append(holder) }
        return holders
    }

    @Test("peers of the local network are candidates")
    func candidates() async throws {
        try await self.pair { here, other, _ in
            let manager = try self.manager(LocalMechanism(here))
            var holders: [DiscoveredHolder] = []
            try await eventually {
                holders = await self.found(manager)
                return !holders.isEmpty
            }
            #expect(holders.map(\.peer) == [other] && holders.allSatisfy { !$0.isClaimed && $0.sources == [.local] && !$0.addresses.isEmpty })
            #expect(try await manager.announce(AnnouncedContent(Fixture.key(1))).entries.map(\.outcome) == [.taken(by: 1)])
            #expect(try await manager.withdraw(Fixture.key(1)).entries.map(\.outcome) == [.withdrawn])
        }
    }

    @Test("who has the content says so, without a probe; who has it no longer, or has another, is not found")
    func holders() async throws {
        try await self.pair(answers: true) { here, other, there in
            let manager = try self.manager(LocalMechanism(here, probe: { _, _, _ in
                Issue.record("asked")
                return nil
            }))
            let holding = LocalMechanism(there)
            #expect(await self.found(manager).isEmpty)
            _ = try await holding.announce(AnnouncedContent(Fixture.key(2)))
            #expect(await self.found(manager).isEmpty)
            #expect(try holding.announceInBackground([AnnouncedContent(Fixture.key(1))]))
            try await eventually { await self.found(manager).map(\.peer) == [other] }
            try await eventually {
                let holders = await self.found(manager)
                return !holders.isEmpty && holders.allSatisfy { $0.isClaimed && $0.sources == [.local] && !$0.addresses.isEmpty }
            }
            try await holding.withdraw(Fixture.key(1))
            try await eventually { await self.found(manager).isEmpty }
        }
    }

    @Test("what is asked for on the link does not tell what is looked for to those who do not know")
    func blinding() throws {
        let key = Fixture.key(1)
        let local = try #require(LocalMechanism.key(of: key))
        #expect(local.bytes != key.bytes && local.bytes == key.blindedBytes && local != LocalMechanism.key(of: Fixture.key(2)))
    }

    @Test("with a probe, those that have the content are holders, those that have not are left out, and those that do not answer are candidates")
    func probe() async throws {
        try await self.pair { here, other, _ in
            let answer = Mutex<Bool?>(true)
            let mechanism = LocalMechanism(
                here,
                probe: { peer, addresses, key in
                    #expect(peer == other && !addresses.isEmpty && key == Fixture.key(1))
                    return answer.withLock { $0 }
                })
            let manager = try self.manager(mechanism)
            try await eventually { await self.found(manager).map(\.isClaimed) == [true] }
            // Withdrawn.
            answer.withLock { $0 = false }
            #expect(await self.found(manager).isEmpty)
            answer.withLock { $0 = nil }
            try await eventually { await self.found(manager).map(\.isClaimed) == [false] }
            let hanging = LocalMechanism(
                here,
                probe: { _, _, _ in
                    try? await Task.sleep(for: .seconds(3_600))
                    return true
                }, probeTimeout: .milliseconds(20))
            let patient = try self.manager(hanging)
            try await eventually { await self.found(patient).map(\.isClaimed) == [false] }
        }
    }
}
