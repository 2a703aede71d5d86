import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import DIGWebSocket

@Suite("WebSocket transport", .timeLimit(.minutes(2)))
struct WebSocketTransportTests {
    private func isEchoed(_ byteCount: Int, on connection: any Connection) async throws -> Bool {
        let bytes = ByteBuffer(bytes: (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
        return try await connection.exchange(bytes) == bytes
    }

    @Test("two nodes speak Noise and Yamux over /ws")
    func plain() async throws {
        let (a, b) = (try makeNode(), try makeNode())
        let address = try #require(try await b.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0/ws")]).first)
        #expect(address.components.last == .ws)
        let connection = try await a.connect(to: b.localPeer, addresses: [address])
        #expect(connection.remoteAddress == address)
        let isEchoed = try await self.isEchoed(2_000_000, on: connection)
        #expect(isEchoed)
        try await eventually { b.connection(to: a.localPeer) != nil }
        let remote = try #require(b.connection(to: a.localPeer)?.remoteAddress)
        #expect(remote.components.first == .ip4(IPv4Address(127, 0, 0, 1)))
        #expect(remote.components.last == .ws)
        for _ in 0..<100 { #expect(try await a.ping(b.localPeer) > .zero) }
        try await end(a, b)
    }

    @Test("names are resolved: inside TLS the name stays as SNI, without it the address itself is tried too")
    func names() async throws {
        let transport = try WebSocketTransport(group: MultiThreadedEventLoopGroup.singleton)
        let peer = try KeyPair.generate().peerID
        let secure = try await transport.resolve(Multiaddr("/dns4/localhost/tcp/443/wss").withPeerID(peer))
        #expect(secure == [try Multiaddr("/ip4/127.0.0.1/tcp/443/tls/sni/localhost/ws").withPeerID(peer)])
        let plain = try await transport.resolve(Multiaddr("/dns4/localhost/tcp/80/ws"))
        #expect(plain == [try Multiaddr("/dns4/localhost/tcp/80/ws"), try Multiaddr("/ip4/127.0.0.1/tcp/80/ws")])
        #expect(transport.canDial(try Multiaddr("/dns4/localhost/tcp/80/ws")))
        #expect(!transport.canDial(try Multiaddr("/dns4/localhost/tcp/80")))
        #expect(transport.canListen(on: try Multiaddr("/ip4/0.0.0.0/tcp/80/ws")))
        #expect(!transport.canListen(on: try Multiaddr("/ip4/0.0.0.0/tcp/80/wss")), "there is no certificate")
    }

    @Test("our own server with a certificate; a client that does not trust it is told so, one that needs not connects")
    func secure() async throws {
        let certificate = try TestCertificate()
        defer { certificate.remove() }
        let b = try makeNode { $0.serverCertificate = .init(chainFile: certificate.chain, privateKeyFile: certificate.privateKey) }
        let bound = try await b.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0/tls/ws"), Multiaddr("/ip4/127.0.0.1/tcp/0/wss")])
        #expect(bound.map(\.components.last) == [.ws, .wss])
        guard case .tcp(let port) = bound[0].components[1] else { return #expect(Bool(false)) }

        let trusting = try makeNode { $0.certificateVerification = .authorities(file: certificate.authority) }
        for address in bound + [try Multiaddr("/dns4/localhost/tcp/\(port)/tls/ws"), try Multiaddr("/ip4/127.0.0.1/tcp/\(port)/tls/sni/peer.example/ws")] {
            var options = DialOptions()
            options.requiresNew = true
            let connection = try await trusting.connect(to: b.localPeer, addresses: [address], options: options)
            let isEchoed = try await self.isEchoed(100_000, on: connection)
            #expect(isEchoed, "\(address)")
        }
        // Another name than the certificate's, at an address that is not in it either.
        let elsewhere = try #require(try await b.listen(on: [Multiaddr("/ip4/127.0.0.2/tcp/0/wss")]).first)
        let wrongName = Multiaddr(components: Array(elsewhere.components.dropLast()) + [.tls, .sni("other.example"), .ws])
        let confused = try makeNode { $0.certificateVerification = .authorities(file: certificate.authority) }
        let other = await #expect(throws: ConnectionError.self) { _ = try await confused.connect(to: b.localPeer, addresses: [elsewhere, wrongName]) }
        #expect(other?.description.contains("no TLS connection") == true, "\(other.map { "\($0)" } ?? "")")
        // The system's authorities have not signed it.
        let strict = try makeNode()
        let refused = await #expect(throws: ConnectionError.self) { _ = try await strict.connect(to: b.localPeer, addresses: bound) }
        #expect(refused?.description.contains("no TLS connection") == true)
        let careless = try makeNode { $0.certificateVerification = .none }
        _ = try await careless.connect(to: b.localPeer, addresses: bound)
        // Whoever it is, it is the peer that was meant.
        let someone = try KeyPair.generate().peerID
        await #expect(throws: ConnectionError(.allAttemptsFailed, "")) { _ = try await careless.connect(to: someone, addresses: bound) }
        try await end(trusting, confused, strict, careless, b)
    }

    @Test("a certificate that can't be used is refused when the transport is made, and when it is read again the old one stays")
    func badCertificate() throws {
        let certificate = try TestCertificate()
        defer { certificate.remove() }
        var configuration = WebSocketConfiguration()
        configuration.serverCertificate = .init(chainFile: certificate.chain, privateKeyFile: certificate.chain)
        #expect(throws: WebSocketError(.invalidConfiguration, "")) {
            _ = try WebSocketTransport(group: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        }
        configuration.serverCertificate = .init(chainFile: certificate.chain, privateKeyFile: certificate.privateKey)
        let transport = try WebSocketTransport(group: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        try transport.reloadCertificate()
        try Data("none".utf8).write(to: URL(fileURLWithPath: certificate.chain))
        #expect(throws: WebSocketError(.invalidConfiguration, "")) { try transport.reloadCertificate() }
        #expect(transport.canListen(on: try Multiaddr("/ip4/127.0.0.1/tcp/0/wss")))
    }

    @Test("what is no WebSocket is answered as HTTP asks, and closed")
    func otherRequests() async throws {
        let b = try makeNode()
        let address = try #require(try await b.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0/ws")]).first)
        let cases: [(String, String)] = [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426 Upgrade Required\r\n"),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 426 Upgrade Required\r\n"),
            (
                "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n",
                "HTTP/1.1 400 Bad Request\r\n"
            ),
            ("\u{13}/multistream/1.0.0\n", ""),
            ("GET / HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n", ""),
        ]
        for (request, answer) in cases {
            let client = try await RawClient(to: address)
            try await client.channel.writeAndFlush(ByteBuffer(string: request))
            let received = try await client.received.get()
            #expect(received.hasPrefix(answer), "\(request.prefix(40)): \(received)")
        }
        try await end(b)
    }

    @Test("a handshake that never comes ends in time and is forgotten")
    func silence() async throws {
        let b = try makeNode { $0.handshakeTimeout = .milliseconds(200) }
        let address = try #require(try await b.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0/ws")]).first)
        let client = try await RawClient(to: address)
        #expect(try await client.received.get() == "")
        try await end(b)
    }

    @Test("a server that is none is named in the error of the dial")
    func noServer() async throws {
        let a = try makeNode()
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), promise: nil)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let error = await #expect(throws: ConnectionError.self) {
            _ = try await a.connect(to: try KeyPair.generate().peerID, addresses: [Multiaddr("/ip4/127.0.0.1/tcp/\(port)/ws")])
        }
        #expect(error.map { "\($0)".contains("502") || "\($0)".contains("WebSocket") } == true, "\(error.map { "\($0)" } ?? "")")
        try await server.close()
        try await end(a)
    }

    @Test("/wss ended by nginx, /ws behind it: 10 MiB there and back")
    func behindNginx() async throws {
        let certificate = try TestCertificate()
        defer { certificate.remove() }
        let b = try makeNode()
        let address = try #require(try await b.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0/ws")]).first)
        guard case .tcp(let backend) = address.components[1] else { return #expect(Bool(false)) }
        let nginx = try await Nginx(certificate: certificate, backend: backend)
        defer { nginx.stop() }
        let a = try makeNode { $0.certificateVerification = .authorities(file: certificate.authority) }
        let connection = try await a.connect(to: b.localPeer, addresses: [Multiaddr("/dns4/localhost/tcp/\(nginx.port)/wss")])
        let isEchoed = try await self.isEchoed(10 * 1024 * 1024, on: connection)
        #expect(isEchoed)
        #expect(connection.remotePeer == b.localPeer)
        // A path to another program is no WebSocket.
        let wrong = await #expect(throws: ConnectionError.self) {
            _ = try await a.connect(to: try KeyPair.generate().peerID, addresses: [Multiaddr("/ip4/127.0.0.1/tcp/\(nginx.port)/ws")])
        }
        #expect(wrong?.description.contains("400") == true, "\(wrong.map { "\($0)" } ?? "")")
        try await end(a, b)
    }
}
