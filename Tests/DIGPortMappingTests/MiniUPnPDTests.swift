#if os(Linux)
@testable import DIGPortMapping
import DIGMultiformats
import DIGNet
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Testing

/// Against miniupnpd on a router in network namespaces.
@Suite("miniupnpd", .serialized, .timeLimit(.minutes(1)))
struct MiniUPnPDTests {
    /// What a test works with.
    struct World {
        let namespaces: RouterNamespaces
        let home: MultiThreadedEventLoopGroup
        let internet: MultiThreadedEventLoopGroup

        func mapper(_ methods: [PortMapping.Method], families: Set<AddressFamily> = [.ip4], change: (inout PortMapperConfiguration) -> Void = { _ in }) -> PortMapper {
            var configuration = PortMapperConfiguration()
            configuration.methods = methods
            configuration.families = families
            configuration.checkInterval = .seconds(1)
            configuration.refreshInterval = .seconds(1)
            configuration.retryInterval = .milliseconds(500)
            configuration.searchTimeout = .seconds(2)
            change(&configuration)
            var logger = Logger(label: "test")
            logger.logLevel = .info
            return PortMapper(configuration: configuration, group: self.home, logger: logger)
        }

        /// Runs the mapper around `body`.
        func run<Result>(_ mapper: PortMapper, _ body: (inout AsyncStream<PortMapperEvent>.Iterator) async throws -> Result) async throws -> Result {
            var events = mapper.events.makeAsyncIterator()
            let running = Task { try await mapper.run() }
            let result: Result
            do {
                result = try await body(&events)
            } catch {
                running.cancel()
                try await running.value
                throw error
            }
            running.cancel()
            try await running.value
            return result
        }

        /// Whether a connection from the internet to `target` arrives at `port` at home. Waits for the time of `timeout` for it.
        func reaches(_ target: Multiaddr, listeningOn host: String, port: UInt16, timeout: TimeAmount = .seconds(3)) async throws -> Bool {
            let (host, target) = (try SocketAddress(ipAddress: host, port: Int(port)), try target.socketAddress)
            let home = self.home.next()
            let internet = self.internet.next()
            let arrived = home.makePromise(of: Bool.self)
            let server = try await home.flatSubmit {
                ServerBootstrap(group: home)
                    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .childChannelInitializer { channel in
                        arrived.succeed(true)
                        return channel.close()
                    }
                    .bind(to: host)
            }.get()
            let timer = home.scheduleTask(in: timeout) { arrived.succeed(false) }
            internet.flatSubmit {
                ClientBootstrap(group: internet).connectTimeout(timeout).connect(to: target)
            }.whenSuccess { $0.close(promise: nil) }
            let result = try await arrived.futureResult.get()
            timer.cancel()
            try await server.close()
            return result
        }

        /// Whether a datagram from the internet to `target` arrives at `port` at home.
        func reachesByDatagram(_ target: Multiaddr, listeningOn host: String, port: UInt16, timeout: TimeAmount = .seconds(3)) async throws -> Bool {
            let (host, target) = (try SocketAddress(ipAddress: host, port: Int(port)), try target.socketAddress)
            let home = self.home.next()
            let internet = self.internet.next()
            let arrived = home.makePromise(of: Bool.self)
            let server = try await home.flatSubmit {
                DatagramBootstrap(group: home).channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Arrival(arrived)) }
                }.bind(to: host)
            }.get()
            let client = try await internet.flatSubmit { DatagramBootstrap(group: internet).connect(to: target) }.get()
            let timer = home.scheduleTask(in: timeout) { arrived.succeed(false) }
            client.writeAndFlush(AddressedEnvelope(remoteAddress: target, data: ByteBuffer(string: "hello")), promise: nil)
            let result = try await arrived.futureResult.get()
            timer.cancel()
            try await server.close()
            try await client.close()
            return result
        }
    }

    final class Arrival: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        private let promise: EventLoopPromise<Bool>
        init(_ promise: EventLoopPromise<Bool>) { self.promise = promise }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.promise.succeed(true) }
    }

    /// Builds the world, if this machine can, and takes it down.
    static func withWorld(settings: String = "", _ body: (World) async throws -> Void) async throws {
        guard RouterNamespaces.isPossible else {
            print("miniupnpd tests did not run: \(RouterNamespaces.requirement)")
            return
        }
        let namespaces = try RouterNamespaces(settings: settings)
        let world = World(
            namespaces: namespaces, home: try await RouterNamespaces.eventLoops(in: namespaces.home),
            internet: try await RouterNamespaces.eventLoops(in: namespaces.internet))
        do {
            try await body(world)
        } catch {
            print(namespaces.log.split(separator: "\n").suffix(30).joined(separator: "\n"))
            try await world.home.shutdownGracefully()
            try await world.internet.shutdownGracefully()
            throw error
        }
        try await world.home.shutdownGracefully()
        try await world.internet.shutdownGracefully()
    }

    static let address = "192.168.77.2"

    @Test("each protocol maps TCP and UDP, traffic arrives, deleting closes", arguments: PortMapping.Method.allCases)
    func maps(method: PortMapping.Method) async throws {
        try await Self.withWorld { world in
            let daemon = try await world.namespaces.startDaemon()
            let mapper = world.mapper([method])
            let tcp = try await mapper.add(.init(protocol: .tcp, internalPort: 4001, suggestedExternalPort: 5001))
            try await mapper.add(.init(protocol: .udp, internalPort: 4001, suggestedExternalPort: 5001))
            let udpAddress = try await world.run(mapper) { events in
                var mappings: [PortMapping.TransportProtocol: PortMapping] = [:]
                while mappings.count < 2 {
                    let mapping = try await PortMapperTests.next(&events, PortMapperTests.mapped)
                    mappings[mapping.request.protocol] = mapping
                }
                let tcpMapping = try #require(mappings[.tcp])
                let udpMapping = try #require(mappings[.udp])
                #expect(tcpMapping.external.description == "/ip4/11.0.0.2/tcp/5001" && tcpMapping.isPublic && tcpMapping.method == method)
                #expect(udpMapping.external.description == "/ip4/11.0.0.2/udp/5001")
                let isOpen = try await world.reaches(tcpMapping.external, listeningOn: Self.address, port: 4001)
                let isOpenForDatagrams = try await world.reachesByDatagram(udpMapping.external, listeningOn: Self.address, port: 4001)
                #expect(isOpen && isOpenForDatagrams)
                print("miniupnpd, \(method): \(tcpMapping.external), \(await mapper.status.gateways.first?.findings.map { "\($0.method) \($0.duration ?? .zero) \($0.device ?? "")" } ?? [])")

                await mapper.remove(tcp)
                _ = try await PortMapperTests.next(&events) { if case .removed(let mapping) = $0 { mapping } else { nil } }
                let isStillOpen = try await world.reaches(tcpMapping.external, listeningOn: Self.address, port: 4001, timeout: .milliseconds(500))
                #expect(!isStillOpen)
                return udpMapping.external
            }
            // The end deletes the rest.
            let isLeft = try await world.reachesByDatagram(udpAddress, listeningOn: Self.address, port: 4001, timeout: .milliseconds(500))
            #expect(!isLeft)
            daemon.stop()
        }
    }

    @Test("short leases are renewed in time", arguments: PortMapping.Method.allCases)
    func renews(method: PortMapping.Method) async throws {
        try await Self.withWorld { world in
            let daemon = try await world.namespaces.startDaemon()
            let mapper = world.mapper([method]) { $0.lifetime = .seconds(4) }
            try await mapper.add(.init(protocol: .tcp, internalPort: 4001))
            try await world.run(mapper) { events in
                let mapping = try await PortMapperTests.next(&events, PortMapperTests.mapped)
                #expect(mapping.lifetime == .seconds(4))
                for _ in 0..<3 { _ = try await PortMapperTests.next(&events) { if case .renewed = $0 { true } else { nil } } }
                let isOpen = try await world.reaches(mapping.external, listeningOn: Self.address, port: 4001)
                #expect(isOpen)
            }
            daemon.stop()
        }
    }

    @Test("a router that restarts gets the mapping again", arguments: PortMapping.Method.allCases)
    func restart(method: PortMapping.Method) async throws {
        try await Self.withWorld { world in
            var daemon = try await world.namespaces.startDaemon()
            let mapper = world.mapper([method])
            try await mapper.add(.init(protocol: .tcp, internalPort: 4001))
            try await world.run(mapper) { events in
                let mapping = try await PortMapperTests.next(&events, PortMapperTests.mapped)
                // Older than the tolerance of the epoch rules (RFC 6886 §3.6, RFC 6887 §8.5): time has to pass.
                try await Task.sleep(for: .seconds(6))
                daemon.stop()
                try world.namespaces.forget()
                let isOpenWithout = try await world.reaches(mapping.external, listeningOn: Self.address, port: 4001, timeout: .milliseconds(300))
                #expect(!isOpenWithout)
                daemon = try await world.namespaces.startDaemon()
                _ = try await PortMapperTests.next(&events) { event in
                    switch event {
                    case .gatewayRestarted, .lost: true
                    default: nil
                    }
                }
                _ = try await PortMapperTests.next(&events) { event in
                    switch event {
                    case .renewed, .mapped: true
                    default: nil
                    }
                }
                let isOpen = try await world.reaches(mapping.external, listeningOn: Self.address, port: 4001)
                #expect(isOpen)
            }
            daemon.stop()
        }
    }

    @Test("all protocols are found, PCP is preferred, and the default route leads to the gateway")
    func all() async throws {
        try await Self.withWorld { world in
            let daemon = try await world.namespaces.startDaemon()
            let mapper = world.mapper([.pcp, .natpmp, .upnp])
            try await mapper.add(.init(protocol: .tcp, internalPort: 4001))
            try await world.run(mapper) { events in
                let gateway = try await PortMapperTests.next(&events) { if case .gatewayFound(let address) = $0 { address } else { nil } }
                #expect(gateway.description == "/ip4/192.168.77.1")
                let mapping = try await PortMapperTests.next(&events, PortMapperTests.mapped)
                #expect(mapping.method == .pcp)
                let isMapped = await mapper.createUPnPMapping(internalPort: 4002, externalPort: 5002, protocol: .tcp, description: "Dig NAT Tools")
                #expect(isMapped)
                let address = try Multiaddr("/ip4/11.0.0.2/tcp/5002")
                let isOpen = try await world.reaches(address, listeningOn: Self.address, port: 4002)
                #expect(isOpen)
                #expect(await mapper.status.gateways.first?.findings.map(\.outcome) == [.available, .available, .available])
            }
            daemon.stop()
        }
    }

    @Test("a changed external address is noticed", arguments: [PortMapping.Method.natpmp, .upnp])
    func addressChange(method: PortMapping.Method) async throws {
        try await Self.withWorld { world in
            let daemon = try await world.namespaces.startDaemon()
            let mapper = world.mapper([method])
            try await mapper.add(.init(protocol: .tcp, internalPort: 4001))
            try await world.run(mapper) { events in
                _ = try await PortMapperTests.next(&events, PortMapperTests.mapped)
                try RouterNamespaces.must("ip", "-n", world.namespaces.router, "addr", "add", "11.0.0.9/24", "dev", "wan")
                try RouterNamespaces.must("ip", "-n", world.namespaces.router, "addr", "del", "11.0.0.2/24", "dev", "wan")
                RouterNamespaces.run("ip", "-n", world.namespaces.router, "addr", "add", "11.0.0.9/24", "dev", "wan")
                let mapping = try await PortMapperTests.next(&events) { event in
                    switch event {
                    case .externalAddressChanged(_, let to): to
                    case .mapped(let mapping): mapping
                    default: nil
                    }
                }
                #expect(mapping.external.description == "/ip4/11.0.0.9/tcp/4001")
                let isOpen = try await world.reaches(mapping.external, listeningOn: Self.address, port: 4001)
                #expect(isOpen)
            }
            daemon.stop()
        }
    }

    @Test("a route that goes away takes the mapping with it, and one that comes brings it back")
    func gatewayChange() async throws {
        try await Self.withWorld { world in
            let daemon = try await world.namespaces.startDaemon()
            let mapper = world.mapper([.natpmp])
            try await mapper.add(.init(protocol: .tcp, internalPort: 4001))
            try await world.run(mapper) { events in
                _ = try await PortMapperTests.next(&events, PortMapperTests.mapped)
                try RouterNamespaces.must("ip", "-n", world.namespaces.home, "route", "del", "default")
                let error = try await PortMapperTests.next(&events) { if case .lost(_, let error) = $0 { error } else { nil } }
                #expect(error.code == .gatewayChanged)
                _ = try await PortMapperTests.next(&events) { $0 == .noGateway ? true : nil }
                try RouterNamespaces.must("ip", "-n", world.namespaces.home, "route", "add", "default", "via", "192.168.77.1")
                _ = try await PortMapperTests.next(&events, PortMapperTests.mapped)
            }
            daemon.stop()
        }
    }

    @Test("a network that comes or goes beside the gateway's costs no mapping")
    func otherNetworks() async throws {
        try await Self.withWorld { world in
            let daemon = try await world.namespaces.startDaemon()
            let mapper = world.mapper([.pcp])
            try await mapper.add(.init(protocol: .tcp, internalPort: 4001))
            try await world.run(mapper) { events in
                _ = try await PortMapperTests.next(&events, PortMapperTests.mapped)
                try RouterNamespaces.must("ip", "-n", world.namespaces.home, "link", "add", "beside", "type", "veth", "peer", "name", "beside-end")
                try RouterNamespaces.must("ip", "-n", world.namespaces.home, "addr", "add", "10.99.0.1/24", "dev", "beside")
                try RouterNamespaces.must("ip", "-n", world.namespaces.home, "link", "set", "beside", "up")
                try RouterNamespaces.must("ip", "-n", world.namespaces.home, "link", "set", "beside-end", "up")
                // Two looks at the routes later.
                let end = ContinuousClock.now + .seconds(3)
                try await eventually { ContinuousClock.now > end }
                try await mapper.add(.init(protocol: .tcp, internalPort: 4002))
                let lost: PortMappingError? = try await PortMapperTests.next(&events) { event in
                    switch event {
                    case .lost(_, let error): .some(error)
                    case .mapped: .some(nil)
                    default: nil
                    }
                }
                #expect(lost == nil)
            }
            daemon.stop()
        }
    }

    @Test("PCP opens a hole in the IPv6 firewall")
    func pinhole() async throws {
        try await Self.withWorld { world in
            let daemon = try await world.namespaces.startDaemon()
            let home = try Multiaddr("/ip6/2a00:1:77::2/tcp/4001")
            let isOpenBefore = try await world.reaches(home, listeningOn: "2a00:1:77::2", port: 4001, timeout: .milliseconds(500))
            #expect(!isOpenBefore)
            let mapper = world.mapper([.pcp], families: [.ip6])
            try await mapper.add(.init(protocol: .tcp, internalPort: 4001))
            try await world.run(mapper) { events in
                let mapping = try await PortMapperTests.next(&events, PortMapperTests.mapped)
                #expect(mapping.external == home && mapping.family == .ip6)
                let isOpen = try await world.reaches(mapping.external, listeningOn: "2a00:1:77::2", port: 4001)
                #expect(isOpen)
            }
            let isLeft = try await world.reaches(home, listeningOn: "2a00:1:77::2", port: 4001, timeout: .milliseconds(500))
            #expect(!isLeft)
            daemon.stop()
        }
    }
}

extension Multiaddr {
    /// The socket address of `/ip4|ip6/…/tcp|udp/…`.
    fileprivate var socketAddress: SocketAddress {
        get throws {
            guard self.components.count == 2 else { throw RouterNamespaces.Failure(description: "no socket address: \(self)") }
            switch self.components[1] {
            case .tcp(let port), .udp(let port): return try SocketAddress(ip: [self.components[0]], port: port)
            default: throw RouterNamespaces.Failure(description: "no socket address: \(self)")
            }
        }
    }
}
#endif
