import DIGUDP
import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import DIGSTUN

/// coturn, see `Interop/coturn/README.md`.
@Suite("coturn", .serialized, .timeLimit(.minutes(2)))
struct CoturnTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    private func freePorts() async throws -> (Int, Int) {
        let holders = [try await UDPEndpoint.bind(group: self.group), try await UDPEndpoint.bind(group: self.group)]
        let ports = holders.compactMap { $0.port(for: .inet) }
        for holder in holders { await holder.close() }
        return (try #require(ports.first), try #require(ports.last))
    }

    @Test("its server, on two addresses: binding over UDP and TCP, mapping, filtering and hairpinning")
    func server() async throws {
        guard let turnserver = Program.find("turnserver", package: "coturn") else { return }
        let (port, other) = try await self.freePorts()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("coturn-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = turnserver
        process.currentDirectoryURL = folder
        process.arguments = [
            "-S", "-n", "--no-cli", "--no-tls", "--no-dtls", "-L", "127.0.0.1", "-L", "127.0.0.2", "-p", "\(port)", "--alt-listening-port", "\(other)",
            "--log-file", "stdout", "--simple-log", "--pidfile", folder.appendingPathComponent("pid").path, "-b", folder.appendingPathComponent("db").path,
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            // It may have inherited a mask that holds SIGTERM back.
            kill(process.processIdentifier, SIGKILL)
            try? FileManager.default.removeItem(at: folder)
        }
        let here = try await UDPEndpoint.bind([address("127.0.0.1:0")], group: self.group)
        // Retransmission waits until it listens.
        let client = STUNClient(endpoint: here)
        let binding = try await client.binding(from: address("127.0.0.1:\(port)"))
        #expect(binding.mapped == here.localAddresses.first)
        #expect(binding.otherAddress == address("127.0.0.2:\(other)"))
        #expect(binding.responseOrigin == address("127.0.0.1:\(port)"))
        #expect(binding.software?.contains("Coturn") == true)

        let behavior = try await NATBehaviorDiscovery(endpoint: here).run([address("127.0.0.1:\(port)")])
        #expect(behavior.type == .open)
        #expect(behavior.mapping == .endpointIndependent)
        #expect(behavior.filtering == .endpointIndependent)
        #expect(behavior.hairpins == true)

        let stream = try await STUNStreamClient(group: self.group).binding(from: address("127.0.0.1:\(port)"))
        #expect(stream.mapped.ipAddress == "127.0.0.1")
        await here.close()
    }

    @Test("its discovery of NAT behavior, against our server")
    func discovery() async throws {
        guard let program = Program.find("turnutils_natdiscovery", package: "coturn") else { return }
        let (server, endpoint, discovery) = try await NATBehaviorDiscoveryTests.server(group: self.group)
        let text = try await Program.output(of: program, ["-m", "-f", "-H", "-p", "\(discovery.primary.port ?? 0)", "127.0.0.1"])
        #expect(text.contains("NAT with Endpoint Independent Mapping!"), "\(text)")
        #expect(text.contains("NAT with Endpoint Independent Filtering!"), "\(text)")
        #expect(text.contains("Other addr: : 127.0.0.2:\(discovery.alternate.port ?? 0)"), "\(text)")
        #expect(text.contains("hairpinning"), "\(text)")
        await server.stop()
        await endpoint.close()
    }

    @Test("its STUN client, against our server")
    func client() async throws {
        guard let program = Program.find("turnutils_stunclient", package: "coturn") else { return }
        let (server, endpoint, discovery) = try await NATBehaviorDiscoveryTests.server(group: self.group)
        let text = try await Program.output(of: program, ["-f", "-p", "\(discovery.primary.port ?? 0)", "127.0.0.1"])
        #expect(text.contains("RFC 5780 response 3"), "\(text)")
        #expect(text.contains("Response origin: : 127.0.0.2:\(discovery.alternate.port ?? 0)"), "\(text)")
        #expect(text.contains("UDP reflexive addr: 127.0.0.1:"), "\(text)")
        #expect(server.statistics.dropped == 0)
        await server.stop()
        await endpoint.close()
    }
}
