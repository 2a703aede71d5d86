import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSTUN
import DIGSwarm
import DIGTestSupport
import DIGUDP
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGTraversal

@Suite("The UDP port and what is in front of it", .serialized, .timeLimit(.minutes(1)))
struct UDPTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func endpoint() async throws -> UDPEndpoint {
        try await UDPEndpoint.bind([SocketAddress(ipAddress: "127.0.0.1", port: 0)], group: self.group)
    }

    private func port(_ endpoint: UDPEndpoint) throws -> UInt16 { UInt16(try #require(endpoint.port(for: .inet))) }

    @Test("A node shows others how they look, and asks them how it looks; in another network once more (ENV-01, ENV-14)")
    func discovery() async throws {
        let servers = [try await self.endpoint(), try await self.endpoint(), try await self.endpoint()]
        let addresses = try servers.map { STUNServerAddress(host: "127.0.0.1", port: try self.port($0)) }
        try await withLab { lab in
            let helpers = [try await lab.node("203.0.113.1"), try await lab.node("203.0.113.2")]
            for (helper, endpoint) in zip(helpers, servers) { helper.manager.attach(endpoint, servesSTUN: true) }
            let a = try await lab.node("198.51.100.2") { $0.stunServers = Array(addresses.prefix(2)) }
            #expect(await a.manager.environment.udp == nil)
            let changes = a.manager.environmentChanges
            a.manager.attach(servers[2], servesSTUN: false)
            for await _ in changes where await a.manager.environment.udp != nil { break }
            let behavior = try #require(await a.manager.environment.udp)
            #expect(!behavior.isUDPBlocked)
            #expect(behavior.mapping == .endpointIndependent)
            #expect(try behavior.external == [SocketAddress(ipAddress: "127.0.0.1", port: Int(self.port(servers[2])))])
            #expect(await a.manager.environment.udpProblem == nil)
            let answered = helpers.map(\.manager.stunStatistics.answered)
            #expect(answered.allSatisfy { $0 > 0 })
            #expect(a.manager.stunStatistics.answered == 0)

            // Another interface has come: the machine may be elsewhere.
            try await a.swarm.listen(on: [Multiaddr("/ip4/192.0.2.9/tcp/0")])
            try await eventually { zip(helpers, answered).allSatisfy { $0.manager.stunStatistics.answered > $1 } }
        }
        for server in servers { await server.close() }
    }

    @Test("Servers that cannot be asked are a reason, not an end")
    func unresolved() async throws {
        let endpoint = try await self.endpoint()
        try await withLab { lab in
            let a = try await lab.node("198.51.100.2") { $0.stunServers = [STUNServerAddress(host: "::1", port: 9)] }
            a.manager.attach(endpoint, servesSTUN: true)
            try await eventually { await a.manager.environment.udpProblem != nil }
            #expect(await a.manager.environment.udp == nil)
            #expect(!a.running.isCancelled)
        }
        await endpoint.close()
    }

    @Test("However often the network changes while no server helps, one look at a time waits to be repeated")
    func retries() async throws {
        let endpoint = try await self.endpoint()
        try await withLab { lab in
            let a = try await lab.node("198.51.100.2") { $0.stunServers = [STUNServerAddress(host: "::1", port: 9)] }
            a.manager.attach(endpoint, servesSTUN: false)
            try await eventually { await a.manager.environment.udpProblem != nil }
            for number in 1...5 {
                let changes = a.manager.environmentChanges
                try await a.swarm.listen(on: [Multiaddr("/ip4/192.0.2.\(number)/tcp/0")])
                for await _ in changes { break }
                a.manager.udpLooks.yield()
                for await _ in changes { break }
            }
            try await eventually { a.manager.state.withLock { $0.tasks.count } <= 1 }
        }
        await endpoint.close()
    }
}
