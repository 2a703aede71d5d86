import NIOCore
import NIOEmbedded
import Testing

@testable import DIGGun

@Suite("The WebSocket of GUN")
struct GunWebSocketTests {
    private static let good =
        "GET /gun HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

    /// The first line of the answer; empty if there is none.
    private func answer(_ request: String) throws -> String {
        let channel = try self.server(Recorder())
        channel.pipeline.fireChannelRead(ByteBuffer(string: request))
        channel.embeddedEventLoop.run()
        var text = ""
        while let data = try channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let bytes) = data { text += String(buffer: bytes) }
        }
        let isAccepted = text.hasPrefix("HTTP/1.1 101")
        #expect(channel.isActive == (isAccepted || text.isEmpty && request.utf8.count < Self.good.utf8.count))
        return text.split(separator: "\r\n").first.map(String.init) ?? ""
    }

    @Test("only /gun is upgraded, and only by a whole request")
    func requests() throws {
        #expect(try self.answer(Self.good) == "HTTP/1.1 101 Switching Protocols")
        func refusal(_ old: String, _ new: String) throws -> String { try self.answer(Self.good.replacing(old, with: new)) }
        #expect(try refusal("/gun", "/") == "HTTP/1.1 404 Not Found")
        #expect(try refusal("GET", "POST") == "HTTP/1.1 426 Upgrade Required")
        #expect(try refusal("websocket", "h2c") == "HTTP/1.1 426 Upgrade Required")
        #expect(try refusal("Version: 13", "Version: 8") == "HTTP/1.1 426 Upgrade Required")
        #expect(try refusal("dGhlIHNhbXBsZSBub25jZQ==", "short") == "HTTP/1.1 400 Bad Request")
        for count in 0..<(Self.good.utf8.count - 1) {
            let answer = try self.answer(String(decoding: Array(Self.good.utf8.prefix(count)), as: UTF8.self))
            #expect(answer.isEmpty, "\(count) bytes")
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
        try GunSocketHandler.add(
            to: channel, dialing: nil, configuration: .init(), messageByteCount: 1_000, delegate: recorder, opened: opened)
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
        for byte in bytes.readableBytesView {
            try channel.writeInbound(ByteBuffer(bytes: [byte]))
            channel.embeddedEventLoop.run()
        }
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
        let heads = ["GET /", "GET /gun HTTP/1.1\r\n", "GET /gun HTTP/1.1\r\nX: ", "GET /gun HTTP/1.1\r\nHost: h\r\n"]
        for head in heads {
            let endless = try self.server(recorder)
            endless.pipeline.fireChannelRead(ByteBuffer(string: head))
            let line = head.hasSuffix("\n") ? String(repeating: "a: b\r\n", count: 200) : String(repeating: "a", count: 1_200)
            for _ in 0..<200 where endless.isActive { endless.pipeline.fireChannelRead(ByteBuffer(string: line)) }
            #expect(!endless.isActive, "\(head)")
        }
        let silent = try self.server(recorder)
        silent.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(silent.isActive)
        silent.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!silent.isActive)
        #expect(recorder.closedCount == 0)
    }
}
