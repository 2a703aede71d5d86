import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import Testing

@testable import DIGAutoNAT

@Suite("AutoNAT v1 between nodes", .timeLimit(.minutes(2)))
struct AutoNATv1Tests {
    private func withServer(
        logger: Logger = Logger(label: "test"), _ configure: (inout AutoNATv1ServerConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (_ node: Swarm, _ connection: any Connection, _ dialer: WatchedDialer) async throws -> Void
    ) async throws {
        try await withNodes { nodes in
            let (server, node) = (try await nodes.make(), try await nodes.make())
            let dialer = WatchedDialer(server)
            var configuration = AutoNATv1ServerConfiguration()
            configuration.policy = .loopback
            configure(&configuration)
            let router = WatchedRouter(server)
            let service = AutoNATv1Server(dialer: dialer, router: router, configuration: configuration, logger: logger)
            let connection = try await node.connect(to: server)
            try await running([service.run]) {
                try await eventually { !router.registered.isEmpty }
                try await body(node, connection, dialer)
            }
        }
    }

    @Test("The server says which address it has dialed, over a new connection from a fresh port")
    func reachable() async throws {
        try await self.withServer { node, connection, dialer in
            let address = try node.address
            let addresses = [try Multiaddr("/ip4/192.168.1.2/tcp/4001"), address]
            let answer = try await AutoNATv1Client().ask(about: addresses, on: connection)
            #expect(answer == .reachable(address))
            let dial = try #require(dialer.dials.first)
            #expect(dialer.dials.count == 1 && dial.addresses == [address])
            #expect(dial.options.purpose == .dialBack && dial.options.requiresNew && dial.options.requiresDirect && dial.options.source == .stranger)
        }
    }

    @Test("The server says that nobody listens there")
    func unreachable() async throws {
        try await self.withServer { _, connection, _ in
            let answer = try await AutoNATv1Client().ask(about: [Multiaddr("/ip4/127.0.0.1/tcp/1")], on: connection)
            #expect(answer == .unreachable)
        }
    }

    @Test("A third party, home networks and names are refused, nobody is dialed, and one line is logged")
    func thirdParty() async throws {
        let log = LogCollector()
        try await self.withServer(logger: log.logger) { _, connection, dialer in
            let addresses = try ["/ip4/127.0.0.9/tcp/80", "/ip4/169.254.169.254/tcp/80", "/ip4/192.168.1.1/tcp/80", "/dns4/localhost/tcp/80"].map { try Multiaddr($0) }
            for _ in 0..<3 {
                let answer = try await AutoNATv1Client().ask(about: addresses, on: connection)
                #expect(answer == .refused)
            }
            #expect(dialer.dials.isEmpty)
            #expect(log.count("a peer asks for a dial that is refused") == 1)
        }
        try await self.withServer { $0.policy = DialBackPolicy() } _: { node, connection, dialer in
            let answer = try await AutoNATv1Client().ask(about: [try node.address], on: connection)
            #expect(answer == .refused)
            #expect(dialer.dials.isEmpty)
        }
    }

    @Test("Over the limits requests are refused")
    func rateLimit() async throws {
        try await self.withServer { $0.limits.requestsPerMinutePerPeer = 1 } _: { node, connection, dialer in
            _ = try await AutoNATv1Client().ask(about: [try node.address], on: connection)
            let answer = try await AutoNATv1Client().ask(about: [try node.address], on: connection)
            #expect(answer == .refused)
            #expect(dialer.dials.count == 1)
        }
    }

    @Test("A bad request is answered as such, and nobody is dialed", arguments: [[0xff], [0x08, 0x01, 0x1a, 0x02, 0x08, 0x00], [0x08, 0x00, 0x12, 0x04, 0x0a, 0x02, 0x0a, 0x00]] as [[UInt8]])
    func bad(_ bytes: [UInt8]) async throws {
        try await self.withServer { _, connection, dialer in
            let messages = try await connection.openMessages(speaking: AutoNAT.protocolID, limit: 4096, timeout: .seconds(10))
            messages.write(ByteBuffer(bytes: bytes))
            guard case .response(let response) = try AutoNATv1Codec.decode(try await messages.next()) else {
                Issue.record("no response")
                return
            }
            #expect(response.status == .badRequest)
            #expect(dialer.dials.isEmpty)
        }
    }
}
