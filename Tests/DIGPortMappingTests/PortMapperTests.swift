@testable import DIGPortMapping
import DIGMultiformats
import DIGNet
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Testing

/// Real sockets on the loopback interface, where a test plays the gateway.
@Suite("Port mapper", .timeLimit(.minutes(2)))
struct PortMapperTests {
    static func configuration(_ methods: [PortMapping.Method], router: FakeRouter? = nil, server: FakeDatagramGateway? = nil) throws -> PortMapperConfiguration {
        var configuration = PortMapperConfiguration()
        configuration.gateways = .fixed([try Multiaddr("/ip4/127.0.0.1")])
        configuration.methods = methods
        configuration.families = [.ip4]
        configuration.listensForAnnouncements = false
        configuration.searchAddress = .loopback
        configuration.searchTimeout = .seconds(1)
        configuration.checkInterval = .milliseconds(200)
        configuration.transmissionCount = 2
        if let router { configuration.searchPort = router.ssdp.port }
        if let server { configuration.serverPort = server.port }
        return configuration
    }

    /// Runs a mapper with one request; ends it and waits for the end.
    static func with<Result>(
        _ configuration: PortMapperConfiguration, _ requests: [PortMapping.Request] = [.init(protocol: .tcp, internalPort: 4001)],
        logger: Logger = Logger(label: "test"), _ body: (PortMapper, inout AsyncStream<PortMapperEvent>.Iterator) async throws -> Result
    ) async throws -> Result {
        let mapper = PortMapper(configuration: configuration, group: .singletonMultiThreadedEventLoopGroup, logger: logger)
        var events = mapper.events.makeAsyncIterator()
        for request in requests { try await mapper.add(request) }
        let running = Task { try await mapper.run() }
        let result: Result
        do {
            result = try await body(mapper, &events)
        } catch {
            running.cancel()
            try await running.value
            throw error
        }
        running.cancel()
        try await running.value
        return result
    }

    /// The next event that `pick` takes.
    static func next<Value>(
        _ events: inout AsyncStream<PortMapperEvent>.Iterator, _ pick: (PortMapperEvent) -> Value?
    ) async throws -> Value {
        while let event = await events.next() {
            if let value = pick(event) { return value }
        }
        throw PortMappingError(.cancelled, "the events have ended")
    }

    static func mapped(_ event: PortMapperEvent) -> PortMapping? { if case .mapped(let mapping) = event { mapping } else { nil } }
    static func failed(_ event: PortMapperEvent) -> PortMapperStatus.Failure? { if case .failed(let failure) = event { failure } else { nil } }

    // MARK: UPnP

    @Test("UPnP: maps, tells where, and deletes at the end", arguments: UPnPService.Kind.allCases)
    func upnp(kind: UPnPService.Kind) async throws {
        let router = try await FakeRouter.start(kind: kind)
        let mapping = try await Self.with(try Self.configuration([.upnp], router: router)) { mapper, events in
            let mapping = try await Self.next(&events, Self.mapped)
            #expect(router.entries == ["TCP 4001 127.0.0.1:4001 3600"])
            let status = await mapper.status
            #expect(status.mappings == [mapping] && status.isRunning && status.isSupported)
            #expect(status.gateways.first?.findings.first?.device == "ACME Fake")
            #expect(status.gateways.first?.findings.first?.duration != nil)
            return mapping
        }
        #expect(mapping.external.description == "/ip4/11.0.0.2/tcp/4001")
        #expect(router.entries.isEmpty)
        try await router.stop()
    }

    @Test("UPnP: a router that has forgotten gets the mapping again, and a changed address is reported")
    func upnpChanges() async throws {
        let router = try await FakeRouter.start()
        try await Self.with(try Self.configuration([.upnp], router: router)) { _, events in
            _ = try await Self.next(&events, Self.mapped)
            router.change { $0.entries = [:] }
            let error = try await Self.next(&events) { if case .lost(_, let error) = $0 { error } else { nil } }
            #expect(error.code == .removedByGateway)
            _ = try await Self.next(&events, Self.mapped)
            #expect(router.entries.count == 1)
            router.change { $0.external = "11.0.0.9" }
            let to = try await Self.next(&events) { if case .externalAddressChanged(_, let to) = $0 { to } else { nil } }
            #expect(to.external.description == "/ip4/11.0.0.9/tcp/4001")
            router.change { $0.external = "192.168.5.2" }
            let outer = try await Self.next(&events) { if case .doubleNAT(let external) = $0 { external } else { nil } }
            #expect(outer.description == "/ip4/192.168.5.2")
        }
        try await router.stop()
    }

    @Test("UPnP: permanent leases, taken ports, foreign mappings")
    func upnpPeculiarities() async throws {
        let router = try await FakeRouter.start()
        router.change {
            $0.onlyPermanent = true
            $0.entries["TCP 4001"] = ("127.0.0.7", "22", "0")
        }
        try await Self.with(try Self.configuration([.upnp], router: router)) { _, events in
            let mapping = try await Self.next(&events, Self.mapped)
            #expect(mapping.lifetime == nil)
            #expect(mapping.external.components.last != .tcp(4001))
            #expect(router.entries.count == 2 && router.entries.contains("TCP 4001 127.0.0.7:22 0"))
        }
        #expect(router.entries == ["TCP 4001 127.0.0.7:22 0"])
        try await router.stop()
    }

    @Test("UPnP: a router behind a carrier's NAT refuses, and says why")
    func upnpRefuses() async throws {
        let router = try await FakeRouter.start()
        router.change {
            $0.external = "100.64.3.4"
            $0.faults["AddPortMapping"] = 501
        }
        try await Self.with(try Self.configuration([.upnp], router: router)) { mapper, events in
            let failure = try await Self.next(&events, Self.failed)
            #expect(failure.attempts.map(\.error.code) == [.refused])
            let status = await mapper.status
            #expect(status.doubleNATs.map(\.description) == ["/ip4/100.64.3.4"])
        }
        try await router.stop()
    }

    @Test("whether mapping is supported is known without a mapping")
    func supported() async throws {
        let router = try await FakeRouter.start()
        try await Self.with(try Self.configuration([.upnp], router: router), []) { mapper, _ in
            let status = await mapper.statusWhenSearched()
            #expect(status.isSupported && !status.isSearching && status.mappings.isEmpty)
            #expect(status.gateways.first?.externalAddress?.description == "/ip4/11.0.0.2")
        }
        try await router.stop()
    }

    @Test("createUPnPMapping says yes, and no")
    func seedForm() async throws {
        let router = try await FakeRouter.start()
        try await Self.with(try Self.configuration([.upnp], router: router), []) { mapper, _ in
            #expect(await mapper.createUPnPMapping(internalPort: 4001, externalPort: 5001, protocol: .tcp, description: "Dig NAT Tools"))
            #expect(router.entries == ["TCP 5001 127.0.0.1:4001 3600"])
            router.change { $0.entries["UDP 5002"] = ("127.0.0.7", "1", "0") }
            #expect(await mapper.createUPnPMapping(internalPort: 4001, externalPort: 5002, protocol: .udp) == false)
            #expect(await mapper.createUPnPMapping(internalPort: 0, externalPort: 5002, protocol: .udp) == false)
        }
        #expect(router.entries == ["UDP 5002 127.0.0.7:1 0"])
        try await router.stop()
    }

    static let hostile: [(name: String, answer: FakeHTTPServer.Answer, code: PortMappingError.Code)] = [
        ("a redirect", FakeHTTPServer.page("", status: "302 Found", headers: "Location: http://127.0.0.1:1/\r\n"), .malformedAnswer),
        ("a giant body", .flood("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<root>"), .malformedAnswer),
        ("a giant head", .flood("HTTP/1.1 200 OK\r\nX: "), .malformedAnswer),
        ("a giant length", .send("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n<root/>"), .malformedAnswer),
        ("a slow drip", .drip("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<root>"), .unresponsive),
        ("silence", .silence, .unresponsive),
        ("no HTTP", .send("SSH-2.0-dropbear\r\n"), .malformedAnswer),
        ("deep XML", FakeHTTPServer.page(String(repeating: "<a>", count: 30_000)), .malformedAnswer),
        ("entities", FakeHTTPServer.page("<!DOCTYPE a [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><root>&b;</root>"), .malformedAnswer),
        ("a closed connection", .send(""), .malformedAnswer),
    ]

    @Test("UPnP: a hostile description costs a bounded time, is named and logged once", arguments: hostile.indices)
    func hostileDescription(index: Int) async throws {
        let (name, answer, code) = Self.hostile[index]
        let router = try await FakeRouter.start(description: answer)
        var configuration = try Self.configuration([.upnp], router: router)
        configuration.requestTimeout = .milliseconds(600)
        let start = ContinuousClock.now
        let log = LogCollector()
        // It is asked for each of them.
        let requests: [PortMapping.Request] = [.init(protocol: .tcp, internalPort: 4001), .init(protocol: .udp, internalPort: 4001)]
        try await Self.with(configuration, requests, logger: log.logger) { _, events in
            for _ in requests {
                let failure = try await Self.next(&events, Self.failed)
                #expect(failure.attempts.map(\.error.code) == [code], "\(name): \(failure.attempts)")
            }
        }
        #expect(log.count("a gateway's answer is refused") == (code == .malformedAnswer ? 1 : 0))
        #expect(.now - start < .seconds(20))
        try await router.stop()
    }

    @Test("UPnP: hostile answers to calls are refused and logged once", arguments: hostile.indices)
    func hostileControl(index: Int) async throws {
        let (name, answer, code) = Self.hostile[index]
        let router = try await FakeRouter.start(control: answer)
        var configuration = try Self.configuration([.upnp], router: router)
        configuration.requestTimeout = .milliseconds(600)
        let log = LogCollector()
        try await Self.with(configuration, logger: log.logger) { _, events in
            let failure = try await Self.next(&events, Self.failed)
            #expect(failure.attempts.map(\.error.code) == [code], "\(name): \(failure.attempts)")
        }
        #expect(log.count("a gateway's answer is refused") == (code == .malformedAnswer ? 1 : 0))
        try await router.stop()
    }

    @Test("UPnP: a location on another host is never opened, and logged once")
    func foreignLocation() async throws {
        let other = try await FakeHTTPServer.start { _ in FakeHTTPServer.page("<root/>") }
        // 127.0.0.2 is this machine too, so the connection would work.
        let router = try await FakeRouter.start(location: "http://127.0.0.2:\(other.port)/root.xml")
        let log = LogCollector()
        try await Self.with(try Self.configuration([.upnp], router: router), logger: log.logger) { _, events in
            let failure = try await Self.next(&events, Self.failed)
            #expect(failure.attempts.map(\.error.code) == [.unresponsive])
        }
        #expect(log.count("a gateway names another host as itself") == 1)
        #expect(other.requests.isEmpty && router.http.requests.isEmpty)
        try await other.stop()
        try await router.stop()
    }

    // MARK: NAT-PMP, PCP

    /// A NAT-PMP server that knows what time it is.
    static func natpmp(_ epoch: @escaping @Sendable () -> UInt32, address: String = "0b000002", lifetime: UInt32 = 3600) async throws -> FakeDatagramGateway {
        try await FakeDatagramGateway.start { datagram in
            var datagram = datagram
            guard let (version, opcode) = datagram.readMultipleIntegers(as: (UInt8, UInt8).self) else { return [] }
            var answer = ByteBuffer()
            guard version == 0 else {
                answer.writeMultipleIntegers(UInt8(0), UInt8(128), UInt16(1), epoch())
                return [answer]
            }
            answer.writeMultipleIntegers(UInt8(0), opcode + 128, UInt16(0), epoch())
            if opcode == 0 {
                answer.writeImmutableBuffer(ByteBuffer(hexadecimal: address))
            } else if let (_, internalPort, externalPort, wanted) = datagram.readMultipleIntegers(as: (UInt16, UInt16, UInt16, UInt32).self) {
                answer.writeMultipleIntegers(internalPort, externalPort, min(wanted, lifetime))
            }
            return [answer]
        }
    }

    @Test("PCP is refused, NAT-PMP maps and is deleted at the end")
    func natpmpGateway() async throws {
        let server = try await Self.natpmp({ 100 })
        let mapping = try await Self.with(try Self.configuration([.pcp, .natpmp], server: server)) { mapper, events in
            let mapping = try await Self.next(&events, Self.mapped)
            #expect(await mapper.status.gateways.first?.findings.map(\.error?.code) == [.notSupported, nil])
            return mapping
        }
        #expect(mapping.method == .natpmp && mapping.external.description == "/ip4/11.0.0.2/tcp/4001")
        #expect(server.received.last?.hexadecimal == "000200000fa1000000000000")
        try await server.stop()
    }

    @Test("NAT-PMP: a restart is noticed and the mapping made again")
    func natpmpRestart() async throws {
        let epoch = SharedNumber(1000)
        let server = try await Self.natpmp({ epoch.value })
        try await Self.with(try Self.configuration([.natpmp], server: server)) { _, events in
            _ = try await Self.next(&events, Self.mapped)
            epoch.value = 1
            let method = try await Self.next(&events) { if case .gatewayRestarted(let method) = $0 { method } else { nil } }
            #expect(method == .natpmp)
            _ = try await Self.next(&events) { if case .renewed(let mapping) = $0 { mapping } else { nil } }
        }
        try await server.stop()
    }

    @Test("NAT-PMP: an external address of 127.0.0.1 is refused, and the mapping deleted")
    func loopbackExternal() async throws {
        let server = try await Self.natpmp({ 100 }, address: "7f000001")
        try await Self.with(try Self.configuration([.natpmp], server: server)) { _, events in
            let failure = try await Self.next(&events, Self.failed)
            #expect(failure.attempts.map(\.error.code) == [.noExternalAddress])
        }
        // Also when the end comes before that is done.
        #expect(server.received.contains { $0.hexadecimal == "000200000fa1000000000000" })
        try await server.stop()
    }

    @Test("PCP: an answer with a wrong nonce is no answer")
    func wrongNonce() async throws {
        let server = try await FakeDatagramGateway.start { datagram in
            guard datagram.readableBytes > 24 else { return [ByteBuffer(hexadecimal: "02 80 00 00 00000000 00000064 000000000000000000000000")] }
            var answer = PCPCodecTests.mapped
            answer.setBuffer(datagram.getSlice(at: 24, length: 36) ?? ByteBuffer(), at: 24)
            return [answer.replacingByte(at: 24, with: answer.getInteger(at: 24, as: UInt8.self).map { $0 ^ 1 } ?? 0)]
        }
        try await Self.with(try Self.configuration([.pcp], server: server)) { _, events in
            let failure = try await Self.next(&events, Self.failed)
            #expect(failure.attempts.map(\.error.code) == [.unresponsive])
        }
        try await server.stop()
    }

    @Test("PCP: maps")
    func pcpGateway() async throws {
        let server = try await FakeDatagramGateway.start { datagram in
            guard datagram.readableBytes > 24 else { return [ByteBuffer(hexadecimal: "02 80 00 00 00000000 00000064 000000000000000000000000")] }
            var answer = PCPCodecTests.mapped
            answer.setBuffer(datagram.getSlice(at: 24, length: 18) ?? ByteBuffer(), at: 24)
            return [answer]
        }
        let mapping = try await Self.with(try Self.configuration([.pcp], server: server)) { _, events in try await Self.next(&events, Self.mapped) }
        #expect(mapping.method == .pcp && mapping.external.description == "/ip4/11.0.0.2/tcp/4003")
        try await server.stop()
    }

    // MARK: Life

    @Test("a machine where nobody listens says so quickly, for each protocol")
    func nobody() async throws {
        let server = try await FakeDatagramGateway.start { _ in [] }
        let router = try await FakeRouter.start()
        let configuration = try Self.configuration([.pcp, .natpmp, .upnp], router: router, server: server)
        try await server.stop()
        try await router.stop()
        let start = ContinuousClock.now
        try await Self.with(configuration) { mapper, events in
            let failure = try await Self.next(&events, Self.failed)
            #expect(failure.attempts.map(\.error.code) == [.notSupported, .notSupported, .unresponsive])
            #expect(await mapper.statusWhenSearched().isSupported == false)
        }
        #expect(.now - start < .seconds(10))
    }

    @Test("no gateway is an event, not an error")
    func noGateway() async throws {
        var configuration = PortMapperConfiguration()
        configuration.gateways = .fixed([])
        try await Self.with(configuration) { mapper, events in
            _ = try await Self.next(&events) { $0 == .noGateway ? true : nil }
            #expect(await mapper.status.gateways.isEmpty)
            #expect(await mapper.createUPnPMapping(internalPort: 1, externalPort: 1, protocol: .tcp) == false)
        }
    }

    @Test("runs once at a time, again afterwards, and its events end")
    func runsOnce() async throws {
        let server = try await Self.natpmp({ 100 })
        let mapper = PortMapper(
            configuration: try Self.configuration([.natpmp], server: server), group: .singletonMultiThreadedEventLoopGroup, logger: Logger(label: "test"))
        try await mapper.add(.init(protocol: .udp, internalPort: 4001))
        for _ in 0..<2 {
            var events = mapper.events.makeAsyncIterator()
            let running = Task { try await mapper.run() }
            let mapping = try await Self.next(&events, Self.mapped)
            #expect(mapping.external.description == "/ip4/11.0.0.2/udp/4001")
            await #expect(throws: PortMappingError(.alreadyRunning, "")) { try await mapper.run() }
            running.cancel()
            try await running.value
            while await events.next() != nil {}
            #expect(await mapper.status.isRunning == false)
        }
        try await server.stop()
    }

    @Test("ending does not wait for a silent gateway longer than allowed")
    func boundedExit() async throws {
        let isSilent = SharedNumber(0)
        let server = try await FakeDatagramGateway.start { datagram in
            guard isSilent.value == 0 else { return [] }
            return datagram.readableBytes == 2 ? [NATPMPCodecTests.address] : [NATPMPCodecTests.mapped]
        }
        var configuration = try Self.configuration([.natpmp], server: server)
        configuration.transmissionCount = 9
        configuration.exitTimeout = .milliseconds(300)
        let end = try await Self.with(configuration) { _, events in
            _ = try await Self.next(&events, Self.mapped)
            isSilent.value = 1
            return ContinuousClock.now
        }
        #expect(.now - end < .seconds(3))
        try await server.stop()
    }

    @Test("requests are checked and bounded")
    func requests() async throws {
        var configuration = PortMapperConfiguration()
        configuration.maximumRequestCount = 2
        let mapper = PortMapper(configuration: configuration, group: .singletonMultiThreadedEventLoopGroup, logger: Logger(label: "test"))
        await #expect(throws: PortMappingError(.invalidRequest, "")) { try await mapper.add(.init(protocol: .tcp, internalPort: 0)) }
        let first = try await mapper.add(.init(protocol: .tcp, internalPort: 1))
        try await mapper.add(.init(protocol: .tcp, internalPort: 2))
        await #expect(throws: PortMappingError(.tooManyRequests, "")) { try await mapper.add(.init(protocol: .tcp, internalPort: 3)) }
        await mapper.remove(first)
        await mapper.remove(first)
        try await mapper.add(.init(protocol: .tcp, internalPort: 3))
    }
}
