import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import Synchronization
import Testing

@testable import DIGAutoNAT

@Suite("AutoNAT v2 between nodes", .timeLimit(.minutes(2)))
struct AutoNATv2Tests {
    private let log = LogCollector()

    private func makeServer(_ router: WatchedRouter, dialer: any PeerDialer, _ configure: (inout AutoNATv2ServerConfiguration) -> Void = { _ in }) -> AutoNATv2Server {
        var configuration = AutoNATv2ServerConfiguration()
        configuration.policy = .loopback
        configuration.maximumDialDelay = .zero
        configure(&configuration)
        return AutoNATv2Server(dialer: dialer, router: router, configuration: configuration, logger: self.log.logger)
    }

    private func makeClient(_ swarm: Swarm, _ configure: (inout AutoNATv2ClientConfiguration) -> Void = { _ in }) -> AutoNATv2Client {
        var configuration = AutoNATv2ClientConfiguration()
        configure(&configuration)
        let client = AutoNATv2Client(router: swarm, configuration: configuration, logger: self.log.logger)
        client.register()
        return client
    }

    /// A server and a node that asks it.
    private func withServer(
        ownIdentityForDials: Bool = false, _ configure: (inout AutoNATv2ServerConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (_ node: Swarm, _ client: AutoNATv2Client, _ connection: any Connection, _ dialer: WatchedDialer) async throws -> Void
    ) async throws {
        try await withNodes { nodes in
            let (server, node) = (try await nodes.make(), try await nodes.make())
            let dialer = WatchedDialer(ownIdentityForDials ? try await nodes.make(listeningOn: nil) : server)
            let router = WatchedRouter(server)
            let service = self.makeServer(router, dialer: dialer, configure)
            let client = self.makeClient(node)
            let connection = try await node.connect(to: server)
            try await running([service.run]) {
                try await eventually { !router.registered.isEmpty }
                try await body(node, client, connection, dialer)
            }
        }
    }

    @Test("An address that can be reached is proven by a new connection from a fresh port", arguments: [false, true])
    func reachable(ownIdentity: Bool) async throws {
        try await self.withServer(ownIdentityForDials: ownIdentity) { node, client, connection, dialer in
            let address = try node.address
            let target = AutoNATv2Target(address: address, listenAddress: address)
            guard case .reachable(0, let from) = try await client.ask(about: [target], on: connection) else {
                Issue.record("not reachable")
                return
            }
            #expect(from != connection.remoteAddress && HostAddress(from) == HostAddress(connection.remoteAddress))
            let dial = try #require(dialer.dials.first)
            #expect(dialer.dials.count == 1 && dial.peer == node.localPeer)
            #expect(dial.addresses == [address], "exactly the address asked about")
            #expect(dial.options.purpose == .dialBack && dial.options.requiresNew && dial.options.requiresDirect && dial.options.source == .stranger)
            // The connection that the request went over goes on.
            #expect(try await client.ask(about: [target], on: connection) != .refused)
        }
    }

    @Test("An address where nobody listens is not reachable; the first one that may be dialed counts")
    func unreachable() async throws {
        try await self.withServer { node, client, connection, dialer in
            let closed = try Multiaddr("/ip4/127.0.0.1/tcp/1")
            let targets = [AutoNATv2Target(address: try Multiaddr("/ip4/192.168.1.1/tcp/80")), AutoNATv2Target(address: closed), AutoNATv2Target(address: try node.address)]
            let answer = try await client.ask(about: targets, on: connection)
            #expect(answer == .unreachable(index: 1))
            #expect(dialer.dials.map(\.addresses) == [[closed]])
        }
    }

    @Test("Another IP address than the asker's is dialed once it has been paid for")
    func paid() async throws {
        try await withNodes { nodes in
            let (server, node) = (try await nodes.make(), try await nodes.make(listeningOn: nil))
            let dialer = WatchedDialer(server)
            let router = WatchedRouter(server)
            let service = self.makeServer(router, dialer: dialer)
            let client = self.makeClient(node)
            let connection = try await node.connect(to: server)
            // Not before, or the connection could leave from there.
            try await node.listen(on: [Multiaddr("/ip4/127.0.0.2/tcp/0")])
            try await running([service.run]) {
                try await eventually { !router.registered.isEmpty }
                let address = try node.address
                #expect(HostAddress(address) != HostAddress(connection.localAddress ?? address))
                guard case .reachable(0, _) = try await client.ask(about: [AutoNATv2Target(address: address, listenAddress: address)], on: connection) else {
                    Issue.record("not reachable")
                    return
                }
                await #expect(throws: AutoNATError(.dataRefused, "")) {
                    try await client.ask(about: [AutoNATv2Target(address: address, isWorthDialData: false)], on: connection)
                }
                #expect(dialer.dials.count == 1)
            }
        }
    }

    @Test("An asker that is not on the internet, and targets that are not, are refused by the policy of every node")
    func defaultPolicy() async throws {
        try await self.withServer { $0.policy = DialBackPolicy() } _: { node, client, connection, dialer in
            let answer = try await client.ask(about: [AutoNATv2Target(address: try node.address)], on: connection)
            #expect(answer == .refused)
            #expect(dialer.dials.isEmpty)
        }
    }

    @Test("169.254.169.254, ::ffff:127.0.0.1, home networks and names are refused, nobody is dialed, and one line is logged")
    func privateTargets() async throws {
        try await self.withServer { node, client, connection, dialer in
            let targets = try [
                "/ip4/169.254.169.254/tcp/80", "/ip6/::ffff:127.0.0.1/tcp/22", "/ip4/192.168.1.1/tcp/80", "/ip4/10.0.0.1/tcp/80", "/dns4/localhost/tcp/22",
            ].map { AutoNATv2Target(address: try Multiaddr($0)) }
            for _ in 0..<3 {
                let answer = try await client.ask(about: targets, on: connection)
                #expect(answer == .refused)
            }
            #expect(dialer.dials.isEmpty)
            #expect(self.log.count("a peer asks for a dial that is refused") == 1)
        }
    }

    @Test("Over the limits requests are rejected, and nobody is dialed")
    func rateLimit() async throws {
        try await self.withServer { $0.limits.requestsPerMinutePerPeer = 1 } _: { node, client, connection, dialer in
            let target = AutoNATv2Target(address: try node.address)
            _ = try await client.ask(about: [target], on: connection)
            await #expect(throws: AutoNATError(.rejected, "")) { try await client.ask(about: [target], on: connection) }
            #expect(dialer.dials.count == 1)
        }
    }

    @Test("A peer that does not speak it is no server")
    func notSupported() async throws {
        try await withNodes { nodes in
            let (other, node) = (try await nodes.make(), try await nodes.make())
            let connection = try await node.connect(to: other)
            let client = self.makeClient(node)
            await #expect(throws: AutoNATError(.notSupported, "")) {
                try await client.ask(about: [AutoNATv2Target(address: try node.address)], on: connection)
            }
        }
    }

    // MARK: Hostile askers

    /// Opens a request by hand.
    private func open(_ connection: any Connection) async throws -> MessageStream {
        try await connection.openMessages(speaking: AutoNAT.dialRequestProtocolID, limit: 8192, timeout: .seconds(10))
    }

    private func request(_ addresses: [Multiaddr]) -> ByteBuffer {
        AutoNATv2Codec.encode(.dialRequest(AutoNATv2DialRequest(addresses: addresses, nonce: 7)))
    }

    @Test("More addresses than are read are rejected")
    func tooManyAddresses() async throws {
        try await self.withServer { node, _, connection, dialer in
            let messages = try await self.open(connection)
            messages.write(AutoNATv2CodecTests.request(Array(repeating: try node.address.bytes, count: 51)))
            #expect(try AutoNATv2Codec.decode(try await messages.next()) == .dialResponse(AutoNATv2DialResponse(.requestRejected)))
            #expect(dialer.dials.isEmpty)
        }
    }

    @Test("A third party is not dialed without data: the asker ends, sends something else, crumbs, or takes its time", arguments: 0..<4)
    func thirdParty(_ way: Int) async throws {
        try await self.withServer { $0.requestTimeout = way == 3 ? .seconds(5) : .seconds(60) } _: { _, _, connection, dialer in
            let messages = try await self.open(connection)
            messages.write(self.request([try Multiaddr("/ip4/127.0.0.9/tcp/80")]))
            guard case .dialDataRequest(0, let byteCount) = try AutoNATv2Codec.decode(try await messages.next()) else {
                Issue.record("no data asked for")
                return
            }
            #expect((30_000...100_000).contains(byteCount))
            switch way {
            case 0: messages.finish()
            case 1: messages.write(self.request([try Multiaddr("/ip4/127.0.0.9/tcp/80")]))
            case 2: messages.write(AutoNATv2Codec.encode(.dialData(byteCount: 10)))
            default: messages.write(AutoNATv2Codec.encode(.dialData(byteCount: 4000)))  // and no more
            }
            await #expect(throws: (any Error).self) { try await messages.next() }
            #expect(dialer.dials.isEmpty)
        }
    }

    @Test("What is no request resets the stream", arguments: [[0x22, 0x00], [0xff], []] as [[UInt8]])
    func garbage(_ bytes: [UInt8]) async throws {
        try await self.withServer { _, _, connection, dialer in
            let messages = try await self.open(connection)
            messages.write(ByteBuffer(bytes: bytes))
            await #expect(throws: (any Error).self) { try await messages.next() }
            #expect(dialer.dials.isEmpty)
        }
    }

    @Test("A request over the size limit resets the stream")
    func oversize() async throws {
        try await self.withServer { _, _, connection, dialer in
            let messages = try await self.open(connection)
            messages.write(ByteBuffer(repeating: 0, count: 8193))
            await #expect(throws: (any Error).self) { try await messages.next() }
            #expect(dialer.dials.isEmpty)
        }
    }

    // MARK: Hostile servers

    /// A server of the test's own: `behave` gets the nonce and answers.
    private func withLiar(
        waiting dialBackTimeout: Duration = .seconds(20),
        _ behave: @escaping @Sendable (_ nonce: UInt64, _ asked: MessageStream, _ connection: any Connection, _ liar: Swarm, _ address: Multiaddr) async throws -> Void,
        _ body: @escaping @Sendable (_ node: Swarm, _ client: AutoNATv2Client, _ connection: any Connection) async throws -> Void
    ) async throws {
        try await withNodes { nodes in
            let (liar, node) = (try await nodes.make(), try await nodes.make())
            let (asked, continuation) = AsyncStream.makeStream(of: (MessageStream, any Connection).self)
            liar.register(AutoNAT.dialRequestProtocolID) { stream, connection in
                stream.eventLoop.makeCompletedFuture {
                    continuation.yield((try MessageStream(on: stream, limit: 8192, timeout: .seconds(10)), connection))
                }
            }
            let client = self.makeClient(node) { $0.dialBackTimeout = dialBackTimeout }
            let connection = try await node.connect(to: liar)
            let address = try node.address
            try await running([
                {
                    for await (messages, connection) in asked {
                        guard case .dialRequest(let request) = try AutoNATv2Codec.decode(try await messages.next()) else { continue }
                        try await behave(request.nonce, messages, connection, liar, address)
                    }
                }
            ]) {
                try await body(node, client, connection)
            }
        }
    }

    private static func dialBack(_ nonce: UInt64, to peer: PeerID, at address: Multiaddr, from swarm: Swarm) async throws {
        var options = DialOptions()
        options.requiresNew = true
        options.purpose = .dialBack
        let connection = try await swarm.connect(to: peer, addresses: [address], options: options)
        try await self.deliver(nonce, over: connection)
    }

    private static func deliver(_ nonce: UInt64, over connection: any Connection) async throws {
        let messages = try await connection.openMessages(speaking: AutoNAT.dialBackProtocolID, limit: 1024, timeout: .seconds(5))
        messages.write(AutoNATv2Codec.encodeDialBack(nonce: nonce))
        try AutoNATv2Codec.decodeDialBackResponse(try await messages.next())
    }

    private static let success = AutoNATv2Codec.encode(.dialResponse(AutoNATv2DialResponse(.ok, dialStatus: .ok)))

    @Test("A server that claims a dial it never made is not believed")
    func neverDialed() async throws {
        try await self.withLiar(waiting: .milliseconds(300)) { _, asked, _, _, _ in
            asked.writeLast(Self.success)
        } _: { node, client, connection in
            await #expect(throws: AutoNATError(.unverified, "")) { try await client.ask(about: [AutoNATv2Target(address: try node.address)], on: connection) }
        }
    }

    @Test("A dial back with a wrong nonce is refused and proves nothing")
    func wrongNonce() async throws {
        let refused = Mutex(false)
        try await self.withLiar(waiting: .seconds(2)) { nonce, asked, connection, liar, address in
            do { try await Self.dialBack(nonce ^ 1, to: connection.remotePeer, at: address, from: liar) } catch { refused.withLock { $0 = true } }
            asked.writeLast(Self.success)
        } _: { node, client, connection in
            await #expect(throws: AutoNATError(.unverified, "")) { try await client.ask(about: [AutoNATv2Target(address: try node.address)], on: connection) }
        }
        #expect(refused.withLock { $0 })
    }

    @Test("The nonce over the connection that the request went over proves nothing")
    func sameConnection() async throws {
        try await self.withLiar(waiting: .milliseconds(300)) { nonce, asked, connection, _, _ in
            await #expect(throws: (any Error).self) { try await Self.deliver(nonce, over: connection) }
            asked.writeLast(Self.success)
        } _: { node, client, connection in
            await #expect(throws: AutoNATError(.unverified, "")) { try await client.ask(about: [AutoNATv2Target(address: try node.address)], on: connection) }
        }
    }

    @Test("A nonce is taken once: replayed, and after the answer, it is refused")
    func replay() async throws {
        let nonces = Mutex<[UInt64]>([])
        let replays = Mutex(0)
        try await self.withLiar { nonce, asked, connection, liar, address in
            nonces.withLock { $0.append(nonce) }
            var options = DialOptions()
            options.requiresNew = true
            let dialBack = try await liar.connect(to: connection.remotePeer, addresses: [address], options: options)
            try await Self.deliver(nonce, over: dialBack)
            for nonce in nonces.withLock({ $0 }) {
                do { try await Self.deliver(nonce, over: dialBack) } catch { replays.withLock { $0 += 1 } }
            }
            asked.writeLast(Self.success)
        } _: { node, client, connection in
            let target = AutoNATv2Target(address: try node.address)
            for _ in 0..<2 {
                guard case .reachable(0, _) = try await client.ask(about: [target], on: connection) else {
                    Issue.record("not reachable")
                    return
                }
            }
        }
        #expect(replays.withLock { $0 } == 3, "none of the three replays was taken")
    }

    @Test("What arrived elsewhere than claimed proves nothing")
    func elsewhere() async throws {
        try await self.withLiar { nonce, asked, connection, liar, address in
            try await Self.dialBack(nonce, to: connection.remotePeer, at: address, from: liar)
            asked.writeLast(Self.success)
        } _: { node, client, connection in
            let target = AutoNATv2Target(address: try Multiaddr("/ip4/9.9.9.9/tcp/5001"), listenAddress: try Multiaddr("/ip4/127.0.0.1/tcp/2"))
            await #expect(throws: AutoNATError(.unverified, "")) { try await client.ask(about: [target], on: connection) }
        }
    }

    @Test("A server that wants a gigabyte gets nothing; one that talks nonsense is found out; one that says nothing is left")
    func greedy() async throws {
        try await self.withLiar { _, asked, _, _, _ in
            asked.write(AutoNATv2Codec.encode(.dialDataRequest(index: 0, byteCount: 1 << 30)))
        } _: { node, client, connection in
            await #expect(throws: AutoNATError(.dataRefused, "")) { try await client.ask(about: [AutoNATv2Target(address: try node.address)], on: connection) }
        }
        try await self.withLiar { _, asked, _, _, _ in
            asked.write(ByteBuffer(bytes: [0x12, 0x02, 0x08, 0x01]))
        } _: { node, client, connection in
            await #expect(throws: AutoNATError(.malformedAnswer, "")) { try await client.ask(about: [AutoNATv2Target(address: try node.address)], on: connection) }
        }
        try await self.withLiar { _, _, _, _, _ in
        } _: { node, _, connection in
            let hasty = self.makeClient(node) { $0.requestTimeout = .milliseconds(100) }
            await #expect(throws: AutoNATError.self) { try await hasty.ask(about: [AutoNATv2Target(address: try node.address)], on: connection) }
        }
    }

    @Test("Unasked dial-backs are refused")
    func unasked() async throws {
        try await withNodes { nodes in
            let (other, node) = (try await nodes.make(), try await nodes.make())
            let client = self.makeClient(node)
            let connection = try await other.connect(to: node)
            await #expect(throws: (any Error).self) { try await Self.deliver(7, over: connection) }
            client.unregister()
        }
    }
}
