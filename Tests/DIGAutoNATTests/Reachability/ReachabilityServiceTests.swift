import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import Testing

@testable import DIGAutoNAT

@Suite("Reachability of a node", .timeLimit(.minutes(2)))
struct ReachabilityServiceTests {
    private let logger = Logger(label: "test")

    private var configuration: ReachabilityConfiguration {
        var configuration = ReachabilityConfiguration()
        configuration.unsureInterval = .milliseconds(10)
        configuration.retryInterval = .milliseconds(50)
        configuration.serverSpacing = .milliseconds(10)
        configuration.v1ServerSpacing = .milliseconds(10)
        configuration.serverBackoff = .milliseconds(50)
        configuration.isPublic = DialBackPolicy.loopback.isPublic
        configuration.observed.minimumObservers = 1
        return configuration
    }

    private func v2(_ swarm: Swarm, _ router: WatchedRouter) -> AutoNATv2Server {
        var configuration = AutoNATv2ServerConfiguration()
        configuration.policy = .loopback
        configuration.maximumDialDelay = .zero
        return AutoNATv2Server(dialer: WatchedDialer(swarm), router: router, configuration: configuration, logger: self.logger)
    }

    private func v1(_ swarm: Swarm, _ router: WatchedRouter) -> AutoNATv1Server {
        var configuration = AutoNATv1ServerConfiguration()
        configuration.policy = .loopback
        return AutoNATv1Server(dialer: WatchedDialer(swarm), router: router, configuration: configuration, logger: self.logger)
    }

    /// Tells the service what a node would, once the server serves.
    private func tell(_ service: ReachabilityService, _ node: Swarm, about server: Swarm, _ router: WatchedRouter) async throws {
        try await eventually { !router.registered.isEmpty }
        let connection = try await node.connect(to: server)
        service.connected(connection)
        service.identified(server.localPeer, protocols: Array(router.registered))
    }

    private func wait(for service: ReachabilityService, _ condition: (ReachabilitySnapshot) -> Bool) async throws -> ReachabilitySnapshot {
        for await snapshot in service.updates() where condition(snapshot) { return snapshot }
        throw NeverHappened()
    }

    @Test("One server that gets through makes the node public; where nobody listens it is not reachable; both are told")
    func v2() async throws {
        try await withNodes { nodes in
            let (server, node) = (try await nodes.make(), try await nodes.make())
            let router = WatchedRouter(server)
            let service = ReachabilityService(dialer: node, router: node, configuration: self.configuration, logger: self.logger)
            let closed = try Multiaddr("/ip4/127.0.0.1/tcp/1")
            try await running([self.v2(server, router).run, service.run]) {
                #expect(service.snapshot.overall == .unknown && service.snapshot.addresses.isEmpty)
                service.listenAddressesChanged(node.listenAddresses)
                try await self.tell(service, node, about: server, router)
                let address = try node.address
                let isPublic = try await self.wait(for: service) { $0.overall == .public }
                #expect(isPublic.reachableAddresses == [address])
                #expect(isPublic.v2Servers == 1 && isPublic.v1Servers == 0)
                let proof = try #require(isPublic.addresses.first { $0.external.address == address })
                #expect(proof.isIndependent && proof.confidence == 1 && proof.votes.map(\.server) == [server.localPeer])

                service.mappedAddressesChanged([ExternalAddress(address: closed, listenAddress: address, basis: .guessed)])
                let both = try await self.wait(for: service) { snapshot in
                    snapshot.addresses.contains { $0.external.address == closed && $0.state.isUnreachable }
                }
                #expect(both.overall == .public && both.addresses.first { $0.external.address == closed }?.external.basis == .mapped)

                service.networkChanged()
                _ = try await self.wait(for: service) { $0.overall == .public }
                service.disconnected(server.localPeer)
                #expect(service.snapshot.v2Servers == 0)
            }
        }
    }

    @Test("A node at whose address nobody listens is private")
    func `private`() async throws {
        try await withNodes { nodes in
            let (server, node) = (try await nodes.make(), try await nodes.make(listeningOn: nil))
            let router = WatchedRouter(server)
            let service = ReachabilityService(dialer: node, router: node, configuration: self.configuration, logger: self.logger)
            try await running([self.v2(server, router).run, service.run]) {
                service.listenAddressesChanged([try Multiaddr("/ip4/127.0.0.1/tcp/1")])
                try await self.tell(service, node, about: server, router)
                _ = try await self.wait(for: service) { $0.overall == .private }
            }
        }
    }

    @Test("Without a server of version 2, three of version 1 have to say so")
    func v1() async throws {
        try await withNodes { nodes in
            let node = try await nodes.make()
            let servers = [try await nodes.make(listeningOn: "/ip4/127.0.0.1/tcp/0"), try await nodes.make(listeningOn: "/ip4/127.0.0.2/tcp/0"), try await nodes.make(listeningOn: "/ip4/127.0.0.3/tcp/0")]
            let routers = servers.map { WatchedRouter($0) }
            let service = ReachabilityService(dialer: node, router: node, configuration: self.configuration, logger: self.logger)
            try await running(zip(servers, routers).map { self.v1($0, $1).run } + [service.run]) {
                service.listenAddressesChanged(node.listenAddresses)
                for (server, router) in zip(servers, routers) { try await self.tell(service, node, about: server, router) }
                let snapshot = try await self.wait(for: service) { $0.overall == .public }
                #expect(snapshot.v1Servers == 3 && snapshot.addresses.first?.votes.count == 3)
            }
        }
    }

    @Test("A graceful end ends the streams of updates; a second run is refused")
    func ends() async throws {
        try await withNodes { nodes in
            let node = try await nodes.make()
            let router = WatchedRouter()
            let service = ReachabilityService(dialer: node, router: router, configuration: self.configuration, logger: self.logger)
            let updates = service.updates()
            let task = Task { try await service.run() }
            try await eventually { router.registered == [AutoNAT.dialBackProtocolID] }
            await #expect(throws: AutoNATError(.alreadyRunning, "")) { try await service.run() }
            task.cancel()
            try await task.value
            var count = 0
            for await _ in updates { count += 1 }
            #expect(count == 1)
            #expect(router.registered.isEmpty)
        }
    }
}
