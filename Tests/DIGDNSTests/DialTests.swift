import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Logging
import NIOPosix
import Testing

@testable import DIGDNS

@Suite("Dialing dnsaddr", .timeLimit(.minutes(2)))
struct DialTests {
    @Test("a swarm reaches a peer by a name, two records away, and refuses a stranger's that leads to this machine")
    func dials() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let logger = Logger(label: "test")
        let b = Swarm(identity: try KeyPair.generate(), transports: [TCPTransport(group: group)], group: group, configuration: .init(), logger: logger)
        let listening = try await b.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])[0].withPeerID(b.localPeer)
        let peer = b.localPeer
        let server = try await MadeUpServer { query in
            let text = String(decoding: query, as: UTF8.self).contains("second") ? "dnsaddr=\(listening)" : "dnsaddr=/dnsaddr/second.example/p2p/\(peer)"
            return [Wire.answer(to: query, records: [Wire.record(text), Wire.record("other")])]
        }
        var dns = server.configuration
        dns.attemptTimeout = .seconds(10)
        var configuration = SwarmConfiguration()
        configuration.addressResolver = DNSAddressResolver(configuration: dns)
        let a = Swarm(identity: try KeyPair.generate(), transports: [TCPTransport(group: group)], group: group, configuration: configuration, logger: logger)
        let address = try Multiaddr("/dnsaddr/first.example/p2p/\(peer)")

        var options = DialOptions()
        options.source = .stranger
        let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: address, options: options) }
        #expect(error?.description.contains("is not on the public internet") == true)
        #expect(a.connection(to: peer) == nil)

        let connection = try await a.connect(to: address)
        #expect(connection.remotePeer == peer)
        #expect(connection.remoteAddress == listening.removingPeerID())
        await a.shutdown()
        await b.shutdown()
        try await server.close()
    }
}
