import NIOCore
import NIOEmbedded
import Testing

@testable import DIGGun

@Suite("The WebSocket of GUN")
struct GunWebSocketTests {
    @Test("a request from RFC 6455 is answered with its key's acceptance")
    func acceptance() {
        #expect(GunHandshake.acceptance(of: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    private func answer(_ text: String) -> GunHandshake.Answer { GunHandshake.answer(GunHTTPHead(text.utf8), path: "/gun") }

    private static let good =
        "GET /gun HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

    @Test("only /gun is upgraded, and only by a whole request")
    func requests() {
        guard case .accepted = self.answer(Self.good) else {
            Issue.record("refused")
            return
        }
        func refusal(_ old: String, _ new: String) -> String? {
            guard case .refused(let text) = self.answer(Self.good.replacingOccurrences_(of: old, with: new)) else { return nil }
            return text.split(separator: "\r\n").first.map(String.init)
        }
        #expect(refusal("/gun", "/") == "HTTP/1.1 404 Not Found")
        #expect(refusal("GET", "POST") == "HTTP/1.1 405 Method Not Allowed")
        #expect(refusal("websocket", "h2c") == "HTTP/1.1 426 Upgrade Required")
        #expect(refusal("Version: 13", "Version: 8") == "HTTP/1.1 426 Upgrade Required")
        #expect(refusal("dGhlIHNhbXBsZSBub25jZQ==", "short") == "HTTP/1.1 400 Bad Request")
        #expect(refusal("Host: h\r\n", "") == "HTTP/1.1 400 Bad Request")
        #expect(refusal("HTTP/1.1", "HTTP/1.0") == "HTTP/1.1 400 Bad Request")
        #expect(refusal("Host:", "Host :") == "HTTP/1.1 400 Bad Request")
        #expect(GunHTTPHead("GET /gun HTTP/1.1\r\n folded".utf8) == nil)
        for count in 0..<(Self.good.utf8.count - 4) {
            if case .accepted = self.answer(String(decoding: Array(Self.good.utf8.prefix(count)), as: UTF8.self)) { Issue.record("accepted \(count) bytes") }
        }
    }

    @Test("URLs of peers, as people write them")
    func urls() throws {
        #expect("\(try GunURL("http://localhost:8765/gun"))" == "ws://localhost:8765/gun")
        #expect("\(try GunURL("https://relay.example/gun"))" == "wss://relay.example/gun")
        #expect("\(try GunURL("wss://relay.example"))" == "wss://relay.example/gun")
        #expect("\(try GunURL("ws://[::1]:80/"))" == "ws://[::1]/gun")
        #expect(try GunURL("ws://[::1]:8765/x?y=1").path == "/x?y=1")
        for text in ["", "localhost", "ftp://h/gun", "ws://", "ws://:80/gun", "ws://h:0/gun", "ws://h:65536/gun", "ws://h:x/gun", "ws://u@h/gun", "ws://[::1/gun", "ws://h/\r\nX: y", "ws://h/ü"] {
            #expect(throws: GunError(.invalidURL, "")) { try GunURL(text) }
        }
    }

    @Test("waits between two attempts grow, and begin anew after a good connection")
    func reconnection() {
        var reconnection = GunReconnection()
        let waits = (0..<8).map { _ in reconnection.ended(after: nil, jitter: 0.5) }
        #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
        #expect(reconnection.ended(after: .seconds(5), jitter: 0) == .seconds(45))
        #expect(reconnection.ended(after: .seconds(31), jitter: 1) == .seconds(1.25))
    }

    private final class Recorder: GunSocketDelegate, @unchecked Sendable {
        // On the one embedded loop.
        var texts: [String] = []
        var oversizeCount = 0
        var closedCount = 0
        func opened(_ socket: GunSocket) {}
        func received(_ bytes: [UInt8], on socket: GunSocket) { self.texts.append(String(decoding: bytes, as: UTF8.self)) }
        func receivedOversize(on socket: GunSocket) { self.oversizeCount += 1 }
        func closed(_ socket: GunSocket) { self.closedCount += 1 }
    }

    /// A masked frame of a client.
    private func frame(_ first: UInt8, _ text: String) -> ByteBuffer {
        let bytes = Array(text.utf8)
        var buffer = ByteBuffer(bytes: [first])
        if bytes.count < 126 {
            buffer.writeInteger(UInt8(bytes.count) | 0x80)
        } else {
            buffer.writeInteger(UInt8(126 | 0x80))
            buffer.writeInteger(UInt16(bytes.count))
        }
        buffer.writeBytes([1, 2, 3, 4])
        buffer.writeBytes(bytes.enumerated().map { $1 ^ [1, 2, 3, 4][$0 % 4] })
        return buffer
    }

    private func server(_ recorder: Recorder) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        let opened = channel.eventLoop.makePromise(of: GunSocket.self)
        try channel.pipeline.syncOperations.addHandler(
            GunHandshakeHandler(url: nil, path: "/gun", configuration: .init(), messageByteCount: 1_000, delegate: recorder, opened: opened))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    @Test("what comes right behind the handshake, byte by byte or in pieces of a message, arrives")
    func frames() throws {
        let recorder = Recorder()
        let channel = try self.server(recorder)
        var bytes = ByteBuffer(string: Self.good)
        bytes.writeImmutableBuffer(self.frame(0x81, "one"))
        bytes.writeImmutableBuffer(self.frame(0x01, "tw"))
        bytes.writeImmutableBuffer(self.frame(0x89, "ping"))
        bytes.writeImmutableBuffer(self.frame(0x80, "o"))
        for byte in bytes.readableBytesView { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(recorder.texts == ["one", "two"])
        // Binary is nothing that GUN speaks, and a message over the limit is told of once.
        try channel.writeInbound(self.frame(0x82, "binary"))
        try channel.writeInbound(self.frame(0x01, String(repeating: "x", count: 900)))
        for _ in 0..<5 { try channel.writeInbound(self.frame(0x00, String(repeating: "x", count: 900))) }
        try channel.writeInbound(self.frame(0x80, ""))
        #expect(recorder.oversizeCount == 1)
        try channel.writeInbound(self.frame(0x81, "three"))
        #expect(recorder.texts == ["one", "two", "three"])
        #expect(channel.isActive)
        // A frame without a mask ends it.
        try channel.writeInbound(ByteBuffer(bytes: [0x81, 0x01, 0x61]))
        #expect(!channel.isActive)
        #expect(recorder.closedCount == 1)
    }

    @Test("a head that does not end is not collected for ever, nor waited for")
    func endlessHead() throws {
        let recorder = Recorder()
        let channel = try self.server(recorder)
        for _ in 0..<20 where channel.isActive { try channel.writeInbound(ByteBuffer(repeating: 0x41, count: 1_000)) }
        #expect(!channel.isActive)
        let silent = try self.server(recorder)
        silent.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(silent.isActive)
        silent.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!silent.isActive)
        #expect(recorder.closedCount == 0)
    }
}

extension String {
    fileprivate func replacingOccurrences_(of old: String, with new: String) -> String {
        var result = ""
        var rest = self[...]
        while let range = rest.firstRange(of: old) {
            result += rest[..<range.lowerBound] + new
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
