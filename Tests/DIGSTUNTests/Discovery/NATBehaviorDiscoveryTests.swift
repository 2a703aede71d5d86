import DIGUDP
import NIOCore
import NIOPosix
import Testing

@testable import DIGSTUN

@Suite("NAT behavior discovery over loopback", .timeLimit(.minutes(1)))
struct NATBehaviorDiscoveryTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private var quick: STUNRetransmission {
        var retransmission = STUNRetransmission.probe
        retransmission.initialTimeout = .milliseconds(200)
        return retransmission
    }

    /// A server on two addresses and two ports.
    static func server(group: any EventLoopGroup) async throws -> (STUNServer, UDPEndpoint, STUNServerConfiguration.BehaviorDiscovery) {
        // Two ports that are free on both addresses.
        var endpoint: UDPEndpoint?
        var discovery: STUNServerConfiguration.BehaviorDiscovery?
        while endpoint == nil {
            let holders = [try await UDPEndpoint.bind([address("127.0.0.1:0")], group: group), try await UDPEndpoint.bind([address("127.0.0.2:0")], group: group)]
            let ports = holders.compactMap { $0.port(for: .inet) }
            for holder in holders { await holder.close() }
            guard ports.count == 2, ports[0] != ports[1] else { continue }
            discovery = .init(primary: address("127.0.0.1:\(ports[0])"), alternate: address("127.0.0.2:\(ports[1])"))
            endpoint = try? await UDPEndpoint.bind(discovery?.addresses ?? [], group: group)
        }
        var configuration = STUNServerConfiguration()
        configuration.behaviorDiscovery = discovery
        configuration.burstCount = 1000
        configuration.honoursResponsePort = true
        let server = STUNServer(configuration: configuration)
        server.serve(try #require(endpoint))
        return (server, try #require(endpoint), try #require(discovery))
    }

    @Test("sees that nothing is in the way")
    func open() async throws {
        let (server, endpoint, discovery) = try await Self.server(group: self.group)
        for local in ["127.0.0.1:0", "0.0.0.0:0"] {
            let here = try await UDPEndpoint.bind([address(local)], group: self.group)
            let behavior = try await NATBehaviorDiscovery(endpoint: here, retransmission: self.quick)
                .run(servers: [STUNServerAddress(host: "127.0.0.1", port: UInt16(discovery.primary.port ?? 0))])
            #expect(behavior.type == .open)
            #expect(behavior.mapping == .endpointIndependent)
            #expect(behavior.filtering == .endpointIndependent)
            #expect(behavior.preservesPort == true)
            #expect(behavior.hairpins == true)
            #expect(behavior.external.map(\.port) == [here.port(for: .inet)])
            await here.close()
        }
        await server.stop()
        await endpoint.close()
    }

    @Test("works with a server on wildcards, one for each port")
    func wildcards() async throws {
        let first = try await UDPEndpoint.bind([address("0.0.0.0:0")], group: self.group)
        let second = try await UDPEndpoint.bind([address("0.0.0.0:0")], group: self.group)
        var configuration = STUNServerConfiguration()
        configuration.burstCount = 1000
        configuration.behaviorDiscovery = .init(
            primary: address("127.0.0.1:\(try #require(first.port(for: .inet)))"), alternate: address("127.0.0.2:\(try #require(second.port(for: .inet)))"))
        let server = STUNServer(configuration: configuration)
        server.serve(first)
        server.serve(second)
        let here = try await UDPEndpoint.bind([address("127.0.0.1:0")], group: self.group)
        let behavior = try await NATBehaviorDiscovery(endpoint: here, retransmission: self.quick).run([try #require(configuration.behaviorDiscovery?.primary)])
        #expect(behavior.type == .open)
        await server.stop()
        for endpoint in [here, first, second] { await endpoint.close() }
    }

    @Test("finds UDP blocked if nobody answers")
    func blocked() async throws {
        let here = try await UDPEndpoint.bind([address("127.0.0.1:0")], group: self.group)
        let silent = try await UDPEndpoint.bind([address("127.0.0.1:0")], group: self.group)
        let behavior = try await NATBehaviorDiscovery(endpoint: here, retransmission: self.quick).run([try #require(silent.localAddresses.first)])
        #expect(behavior.type == .blocked)
        await here.close()
        await silent.close()
    }

    @Test("says why no server can be asked, and ends when cancelled")
    func noServers() async throws {
        let here = try await UDPEndpoint.bind([address("127.0.0.1:0")], group: self.group)
        let discovery = NATBehaviorDiscovery(endpoint: here)
        await #expect(throws: STUNError(.noServers, "")) { _ = try await discovery.run(servers: []) }
        do {
            _ = try await discovery.run(servers: [STUNServerAddress(host: "::1"), STUNServerAddress(scheme: .stuns, host: "127.0.0.1")])
            Issue.record("servers were asked that can't be")
        } catch let error as STUNError {
            #expect(error.code == .noServers)
            #expect(error.message.contains("stun:[::1]") && error.message.contains("stuns:127.0.0.1"))
        }
        let silent = try await UDPEndpoint.bind([address("127.0.0.1:0")], group: self.group)
        let server = try #require(silent.localAddresses.first)
        let task = Task { try await discovery.run([server]) }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        await here.close()
        await silent.close()
    }
}
