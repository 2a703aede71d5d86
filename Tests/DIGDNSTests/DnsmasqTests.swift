import DIGIdentity
import DIGMultiformats
import Foundation
import Testing

@testable import DIGDNS

/// A DNS server that others wrote (thekelleys.org.uk/dnsmasq), on loopback.
@Suite("dnsmasq", .timeLimit(.minutes(2)))
struct DnsmasqTests {
    /// Nil where it is not installed, which one line tells.
    private static func start(_ records: [String: [String]]) async throws -> (Process, DNSConfiguration)? {
        guard let path = ["/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/opt/homebrew/sbin/dnsmasq"].first(where: FileManager.default.isExecutableFile) else {
            print("dnsmasq is not installed: scripts/setup does that")
            return nil
        }
        for _ in 0..<5 {
            let port = UInt16.random(in: 20_000..<60_000)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments =
                ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file", "--listen-address=127.0.0.1", "--bind-interfaces", "--port=\(port)", "--local=/example/"]
                + records.flatMap { name, texts in texts.map { "--txt-record=\(name),\($0)" } }
            process.standardError = FileHandle.nullDevice
            try process.run()
            var configuration = DNSConfiguration()
            configuration.server = .init(host: "127.0.0.1", port: port)
            configuration.attemptTimeout = .seconds(1)
            configuration.attempts = 1
            // Until it answers; a port that is taken ends it.
            for _ in 0..<50 where process.isRunning {
                do {
                    _ = try await SystemTextRecords(configuration: configuration).texts(of: "nosuch.example", until: .now + .seconds(2))
                } catch let error as DNSError where error.code == .notFound {
                    return (process, configuration)
                } catch {
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            Self.end(process)
        }
        throw DNSError(.failed, "dnsmasq does not start")
    }

    private static func end(_ process: Process) {
        // A thread of the test may have blocked the signals that can be blocked, and its children inherit that.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    @Test("its records are found, one behind the other, and an answer too long for UDP comes over TCP")
    func addresses() async throws {
        let peer = try KeyPair.generate().peerID
        // Together far more than a datagram holds.
        let many = (0..<60).map { "dnsaddr=/ip4/203.0.113.\($0)/tcp/4001/p2p/\(peer)" }
        guard
            let (process, configuration) = try await Self.start([
                "_dnsaddr.bootstrap.example": ["dnsaddr=/dnsaddr/many.example/p2p/\(peer)", "unrelated"], "_dnsaddr.many.example": many,
            ])
        else { return }
        defer { Self.end(process) }
        let resolver = DNSAddressResolver(configuration: configuration)
        let found = try await resolver.addresses(behind: Multiaddr("/dnsaddr/bootstrap.example/p2p/\(peer)"), of: nil)
        #expect(Set(found.map { "dnsaddr=\($0)" }) == Set(many))
        await #expect(throws: DNSError(.notFound, "")) { _ = try await resolver.addresses(behind: Multiaddr("/dnsaddr/nosuch.example"), of: nil) }
    }
}
