import DIGNet
import DIGTestSupport
import DIGUDP
import NIOCore
import NIOPosix
import Testing

@testable import DIGSTUN

@Suite("STUN client and server over loopback", .timeLimit(.minutes(1)))
struct STUNLoopbackTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func bind(_ text: String = "127.0.0.1:0") async throws -> UDPEndpoint {
        try await UDPEndpoint.bind([address(text)], group: self.group)
    }

    /// Does to each request what a test wants.
    private final class Answerer: DatagramHandler {
        private let answer: @Sendable (STUNMessage, Datagram, UDPEndpoint) -> Void
        init(_ answer: @escaping @Sendable (STUNMessage, Datagram, UDPEndpoint) -> Void) { self.answer = answer }

        func received(_ datagram: Datagram, on endpoint: UDPEndpoint) -> Bool {
            guard let received = try? ReceivedSTUNMessage(decoding: datagram.payload) else { return false }
            self.answer(received.message, datagram, endpoint)
            return true
        }
    }

    private static func success(_ request: STUNMessage, _ mapped: SocketAddress) -> STUNMessage {
        var message = STUNMessage(.successResponse, .binding, transactionID: request.transactionID)
        message.append(STUNXORMappedAddress(mapped))
        return message
    }

    /// For answers that come: however slow the machine is, each request is sent once.
    private var patient: STUNClientConfiguration {
        var configuration = STUNClientConfiguration()
        configuration.retransmission.initialTimeout = .seconds(20)
        return configuration
    }

    /// For answers that do not come.
    private var quick: STUNClientConfiguration {
        var configuration = STUNClientConfiguration()
        configuration.retransmission.initialTimeout = .milliseconds(20)
        configuration.retransmission.transmissionCount = 3
        configuration.retransmission.finalTimeoutFactor = 2
        return configuration
    }

    @Test("over UDP the client learns its own address, on the port that both may share")
    func udp() async throws {
        let (here, there) = (try await self.bind(), try await self.bind())
        let server = STUNServer()
        server.serve(there)
        let client = STUNClient(endpoint: here)
        let port = try #require(there.port(for: .inet))
        let binding = try await client.binding(from: STUNServerAddress("stun:127.0.0.1:\(port)"))
        #expect(binding.mapped == here.localAddresses.first)
        #expect(binding.source == there.localAddresses.first)
        #expect(binding.otherAddress == nil)
        // A node that is both.
        server.serve(here)
        #expect(try await client.binding(from: try #require(here.localAddresses.first)).mapped == here.localAddresses.first)
        #expect(server.statistics.answered == 2)
        await server.stop()
        await here.close()
        await there.close()
    }

    @Test("over a wildcard, the answer comes from the address that was asked")
    func wildcard() async throws {
        let there = try await UDPEndpoint.bind(group: self.group)
        let here = try await self.bind()
        let server = STUNServer()
        server.serve(there)
        let client = STUNClient(endpoint: here, configuration: self.patient)
        let port = try #require(there.port(for: .inet))
        for host in ["127.0.0.1", "127.0.0.3"] {
            #expect(try await client.binding(from: address("\(host):\(port)")).source == address("\(host):\(port)"))
        }
        await here.close()
        await there.close()
    }

    @Test("a request is sent again, and the last answer in time counts")
    func retransmission() async throws {
        let (here, there) = (try await self.bind(), try await self.bind())
        let count = Counter()
        let answerer = Answerer { request, datagram, endpoint in
            if count.next() >= 3 { endpoint.send(Self.success(request, address("127.0.0.1:77")).encoded(), to: datagram.source) }
        }
        there.register(answerer, for: .stun)
        var configuration = self.quick
        configuration.retransmission.transmissionCount = 9
        configuration.retransmission.finalTimeoutFactor = 1000
        let client = STUNClient(endpoint: here, configuration: configuration)
        #expect(try await client.binding(from: try #require(there.localAddresses.first)).mapped == address("127.0.0.1:77"))
        await here.close()
        await there.close()
    }

    @Test("hostile answers are refused with their reason and logged once, and do not keep the good one out")
    func hostile() async throws {
        let (here, there, elsewhere) = (try await self.bind(), try await self.bind(), try await self.bind())
        let server = try #require(there.localAddresses.first)
        let log = LogCollector()
        let client = STUNClient(endpoint: here, configuration: self.quick, logger: log.logger)
        func refused(_ code: STUNError.Code, _ answer: @escaping @Sendable (STUNMessage, Datagram, UDPEndpoint) -> Void) async {
            let answerer = Answerer(answer)
            there.register(answerer, for: .stun)
            _ = await there.statistics()
            await #expect(throws: STUNError(code, "")) { _ = try await client.binding(from: server) }
            there.unregister(answerer)
            _ = await there.statistics()
        }
        await refused(.wrongSource) { request, datagram, _ in
            elsewhere.send(Self.success(request, datagram.source).encoded(), to: datagram.source)
        }
        await refused(.badFingerprint) { request, datagram, endpoint in
            var bytes = Self.success(request, datagram.source).encoded()
            bytes.setInteger(UInt16(0), at: 26)
            endpoint.send(bytes, to: datagram.source)
        }
        await refused(.malformed) { request, datagram, endpoint in
            var message = Self.success(request, datagram.source)
            message.append(STUNPadding(byteCount: 4000))
            endpoint.send(message.encoded(), to: datagram.source)
        }
        await refused(.timedOut) { request, datagram, endpoint in
            let other = STUNMessage(.request, .binding, transactionID: .random())
            endpoint.send(Self.success(other, datagram.source).encoded(), to: datagram.source)
        }
        await refused(.addressRefused) { request, datagram, endpoint in
            endpoint.send(Self.success(request, address("0.0.0.0:1")).encoded(), to: datagram.source)
        }
        await refused(.errorResponse) { request, datagram, endpoint in
            var message = STUNMessage(.errorResponse, .binding, transactionID: request.transactionID)
            message.append(STUNErrorCode.serverError)
            endpoint.send(message.encoded(), to: datagram.source)
        }
        #expect(log.count("a STUN answer is not believed") == 1)
        let both = Answerer { request, datagram, endpoint in
            elsewhere.send(Self.success(request, address("127.0.0.1:66")).encoded(), to: datagram.source)
            endpoint.send(ByteBuffer(bytes: Self.success(request, datagram.source).encoded().readableBytesView.dropLast(4)), to: datagram.source)
            endpoint.send(Self.success(request, address("127.0.0.1:77")).encoded(), to: datagram.source)
        }
        there.register(both, for: .stun)
        _ = await there.statistics()
        let patientClient = STUNClient(endpoint: here, configuration: self.patient)
        #expect(try await patientClient.binding(from: server).mapped == address("127.0.0.1:77"))
        for endpoint in [here, there, elsewhere] { await endpoint.close() }
    }

    @Test("requests end when cancelled, when there are too many, and when the port is closed")
    func endings() async throws {
        var configuration = STUNClientConfiguration()
        configuration.maximumPendingCount = 1
        let (here, silent) = (try await self.bind(), try await self.bind())
        let server = try #require(silent.localAddresses.first)
        let heard = Signal()
        let answerer = Answerer { _, _, _ in heard.send() }
        silent.register(answerer, for: .stun)
        let client = STUNClient(endpoint: here, configuration: configuration)
        let first = Task { try await client.binding(from: server) }
        await heard.wait()
        await #expect(throws: STUNError(.limitExceeded, "")) { _ = try await client.binding(from: server) }
        first.cancel()
        await #expect(throws: CancellationError.self) { _ = try await first.value }
        let second = Task { try await client.binding(from: server) }
        await heard.wait()
        await here.close()
        await #expect(throws: STUNError(.closed, "")) { _ = try await second.value }
        await #expect(throws: STUNError(.closed, "")) { _ = try await client.binding(from: server) }
        await silent.close()
    }

    @Test("servers that can't be asked over this port are refused at once")
    func unsupported() async throws {
        let here = try await self.bind()
        let client = STUNClient(endpoint: here)
        await #expect(throws: STUNError(.unsupported, "")) { _ = try await client.binding(from: STUNServerAddress(scheme: .stuns, host: "127.0.0.1")) }
        await #expect(throws: STUNError(.unsupported, "")) { _ = try await client.binding(from: STUNServerAddress(host: "::1")) }
        await #expect(throws: STUNError(.unresolved, "")) { _ = try await client.binding(from: STUNServerAddress(host: "does-not-exist.invalid")) }
        await here.close()
    }

    @Test("over TCP too, from a port of choice")
    func tcp() async throws {
        let server = STUNServer()
        let bound = try await server.listen(on: address("127.0.0.1:0"), group: self.group)
        let client = STUNStreamClient(group: self.group)
        let binding = try await client.binding(from: bound)
        #expect(binding.mapped.ipAddress == "127.0.0.1")
        let local = address("127.0.0.1:\(try #require(binding.mapped.port))")
        #expect(try await client.binding(from: bound, local: address("127.0.0.2:0")).mapped.ipAddress == "127.0.0.2")
        #expect(local.port != bound.port)
        #expect(server.statistics.connections == 2)
        await server.stop()
        await #expect(throws: STUNError(.connectionFailed, "")) { _ = try await client.binding(from: bound) }
        await #expect(throws: STUNError(.closed, "")) { try await server.listen(on: address("127.0.0.1:0"), group: self.group) }
    }

    @Test("a TCP server that talks something else, closes or says nothing is refused with its reason")
    func hostileTCP() async throws {
        func server(_ body: @escaping @Sendable (any Channel) -> Void) async throws -> any Channel {
            try await ServerBootstrap(group: self.group)
                .childChannelInitializer { channel in
                    body(channel)
                    return channel.eventLoop.makeSucceededVoidFuture()
                }
                .bind(to: address("127.0.0.1:0")).get()
        }
        var configuration = STUNClientConfiguration()
        configuration.streamTimeout = .milliseconds(300)
        let client = STUNStreamClient(group: self.group, configuration: configuration)
        let http = try await server { $0.eventLoop.execute { [channel = $0] in channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n"), promise: nil) } }
        await #expect(throws: STUNError(.malformed, "")) { _ = try await client.binding(from: try #require(http.localAddress)) }
        let closing = try await server { $0.eventLoop.execute { [channel = $0] in channel.close(promise: nil) } }
        await #expect(throws: STUNError(.closed, "")) { _ = try await client.binding(from: try #require(closing.localAddress)) }
        let silent = try await server { _ in }
        await #expect(throws: STUNError(.timedOut, "")) { _ = try await client.binding(from: try #require(silent.localAddress)) }
        for channel in [http, closing, silent] { try await channel.close() }
    }

    @Test("TCP connections are limited for each network, and closed when idle or when they talk nonsense")
    func tcpLimits() async throws {
        var configuration = STUNServerConfiguration()
        configuration.maximumConnectionsPerNetwork = 2
        configuration.idleTimeout = .milliseconds(200)
        let server = STUNServer(configuration: configuration)
        let bound = try await server.listen(on: address("127.0.0.1:0"), group: self.group)
        var channels: [any Channel] = []
        for _ in 0..<3 { channels.append(try await ClientBootstrap(group: self.group).connect(to: bound).get()) }
        for channel in channels { try await channel.closeFuture.get() }
        #expect(server.statistics.connectionsRefused == 1)
        #expect(server.statistics.connections == 2)
        let talker = try await ClientBootstrap(group: self.group).connect(to: bound).get()
        try await talker.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        try await talker.closeFuture.get()
        await server.stop()
    }

    @Test("the UDP server drops what is above its rate limit")
    func rateLimit() async throws {
        let (here, there) = (try await self.bind(), try await self.bind())
        var configuration = STUNServerConfiguration()
        configuration.burstCount = 3
        configuration.maximumRequestsPerSecond = 0.01
        let server = STUNServer(configuration: configuration)
        server.serve(there)
        let client = STUNClient(endpoint: here, configuration: self.patient)
        let impatient = STUNClient(endpoint: here, configuration: self.quick)
        let to = try #require(there.localAddresses.first)
        for _ in 0..<3 { _ = try await client.binding(from: to) }
        await #expect(throws: STUNError(.timedOut, "")) { _ = try await impatient.binding(from: to) }
        #expect(server.statistics.answered == 3)
        #expect(server.statistics.rateLimited > 0)
        await here.close()
        await there.close()
    }
}
