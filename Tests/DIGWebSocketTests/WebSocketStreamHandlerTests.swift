import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import DIGWebSocket

@Suite("WebSocket frames as a stream")
struct WebSocketStreamHandlerTests {
    private func channel(
        isClient: Bool = false, opened: Bool = true, _ configure: (inout WebSocketConfiguration) -> Void = { _ in }
    ) throws -> (EmbeddedChannel, WebSocketStreamHandler) {
        var configuration = WebSocketConfiguration()
        configure(&configuration)
        let handler = WebSocketStreamHandler(isClient: isClient, configuration: configuration)
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        if opened { handler.opened() }
        return (channel, handler)
    }

    /// Closes without waiting for the other end.
    private func drop(_ channel: EmbeddedChannel) {
        channel.close(promise: nil)
        channel.close(promise: nil)
    }

    /// A frame as a client sends it.
    private func masked(_ opcode: WebSocketOpcode, _ bytes: [UInt8], fin: Bool = true) -> WebSocketFrame {
        let key: WebSocketMaskingKey = [1, 2, 3, 4]
        var data = ByteBuffer(bytes: bytes)
        data.webSocketMask(key)
        return WebSocketFrame(fin: fin, opcode: opcode, maskKey: key, data: data)
    }

    private func closeCode(_ frame: WebSocketFrame?) -> WebSocketErrorCode? {
        guard let frame, frame.opcode == .connectionClose else { return nil }
        var data = frame.unmaskedData
        return data.readWebSocketErrorCode()
    }

    @Test("bytes come through, however they are cut into frames and messages")
    func fragments() throws {
        let (channel, _) = try self.channel()
        for frame in [
            self.masked(.binary, [1, 2]), self.masked(.binary, [3], fin: false), self.masked(.ping, [9]), self.masked(.continuation, [], fin: false),
            self.masked(.continuation, [4, 5], fin: true), self.masked(.binary, [6]),
        ] {
            try channel.writeInbound(frame)
        }
        var received: [UInt8] = []
        while let bytes = try channel.readInbound(as: ByteBuffer.self) { received += Array(bytes.readableBytesView) }
        #expect(received == [1, 2, 3, 4, 5, 6])
        let pong = try channel.readOutbound(as: WebSocketFrame.self)
        #expect(pong?.opcode == .pong)
        #expect(pong?.unmaskedData == ByteBuffer(bytes: [9]))
        self.drop(channel)
    }

    @Test("a client masks, each frame with another key; a server does not; long writes are cut")
    func sends() throws {
        let (client, _) = try self.channel(isClient: true) { $0.sentFrameByteCount = 3 }
        try client.writeOutbound(ByteBuffer(bytes: [1, 2, 3, 4, 5, 6, 7]))
        var frames: [WebSocketFrame] = []
        while let frame = try client.readOutbound(as: WebSocketFrame.self) { frames.append(frame) }
        #expect(frames.map(\.length) == [3, 3, 1])
        #expect(frames.allSatisfy { $0.fin && $0.opcode == .binary && $0.maskKey != nil })
        #expect(Set(frames.map { Array($0.maskKey ?? [0, 0, 0, 0]) }).count > 1)
        let (server, _) = try self.channel()
        try server.writeOutbound(ByteBuffer(bytes: [1]))
        #expect(try server.readOutbound(as: WebSocketFrame.self)?.maskKey == nil)
        self.drop(client)
        self.drop(server)
    }

    @Test("a broken rule is answered with its code and ends the connection")
    func violations() throws {
        let cases: [(WebSocketFrame, WebSocketErrorCode)] = [
            (WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: [1])), .protocolError),
            (self.masked(.continuation, [1]), .protocolError),
            (self.masked(.text, [65]), .unacceptableData),
            (WebSocketFrame(fin: true, rsv1: true, opcode: .binary, maskKey: [1, 2, 3, 4], data: ByteBuffer()), .protocolError),
            (self.masked(WebSocketOpcode(encodedWebSocketOpcode: 3) ?? .text, [1]), .protocolError),
        ]
        for (frame, code) in cases {
            let (channel, _) = try self.channel()
            #expect(throws: WebSocketError(.protocolViolation, "")) {
                try channel.writeInbound(frame)
                try channel.throwIfErrorCaught()
            }
            #expect(self.closeCode(try channel.readOutbound(as: WebSocketFrame.self)) == code)
            #expect(!channel.isActive)
        }
        // One message inside another.
        let (channel, _) = try self.channel()
        try channel.writeInbound(self.masked(.binary, [1], fin: false))
        #expect(throws: WebSocketError(.protocolViolation, "")) { try channel.writeInbound(self.masked(.binary, [2])) }
        #expect(!channel.isActive)
        // A client does not take masked frames.
        let (client, _) = try self.channel(isClient: true)
        #expect(throws: WebSocketError(.protocolViolation, "")) { try client.writeInbound(self.masked(.binary, [2])) }
    }

    @Test("the other end's close is answered with its code")
    func closedByPeer() throws {
        let (channel, _) = try self.channel()
        try channel.writeInbound(self.masked(.connectionClose, [0x03, 0xe9, 65, 66]))
        let answer = try channel.readOutbound(as: WebSocketFrame.self)
        #expect(answer?.unmaskedData == ByteBuffer(bytes: [0x03, 0xe9]))
        #expect(!channel.isActive)
        let (bare, _) = try self.channel()
        try bare.writeInbound(self.masked(.connectionClose, []))
        #expect(try bare.readOutbound(as: WebSocketFrame.self)?.length == 0)
        #expect(!bare.isActive)
    }

    @Test("our close waits for the answer, but not for long")
    func closedByUs() throws {
        let (channel, _) = try self.channel()
        let done = channel.close()
        #expect(self.closeCode(try channel.readOutbound(as: WebSocketFrame.self)) == .normalClosure)
        #expect(channel.isActive)
        // Too late to be of interest.
        try channel.writeInbound(self.masked(.binary, [1]))
        #expect(try channel.readInbound(as: ByteBuffer.self) == nil)
        try channel.writeInbound(self.masked(.connectionClose, [0x03, 0xe8]))
        try done.wait()
        #expect(!channel.isActive)

        let (silent, _) = try self.channel()
        let closed = silent.close()
        silent.embeddedEventLoop.advanceTime(by: .milliseconds(999))
        #expect(silent.isActive)
        silent.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        try closed.wait()
        #expect(!silent.isActive)
    }

    @Test("what is written during the handshake is sent after it; the channel becomes active then")
    func early() throws {
        let (channel, handler) = try self.channel(opened: false)
        let written = channel.writeAndFlush(ByteBuffer(bytes: [1]))
        #expect(try channel.readOutbound(as: WebSocketFrame.self) == nil)
        let much = channel.writeAndFlush(ByteBuffer(repeating: 0, count: 256 * 1024))
        #expect(throws: WebSocketError(.protocolViolation, "")) { try much.wait() }
        handler.opened()
        #expect(try channel.readOutbound(as: WebSocketFrame.self)?.length == 1)
        try written.wait()
        self.drop(channel)
    }

    @Test("a handshake that is not done in time ends the channel, and what waits to be written fails")
    func timeout() throws {
        let (channel, _) = try self.channel(opened: false)
        let written = channel.writeAndFlush(ByteBuffer(bytes: [1]))
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(throws: WebSocketError(.timedOut, "")) { try channel.throwIfErrorCaught() }
        #expect(throws: (any Error).self) { try written.wait() }
        #expect(!channel.isActive)
    }

    @Test("a ping is sent when time passes, so that proxies keep the connection")
    func pings() throws {
        let (channel, _) = try self.channel { $0.pingInterval = .seconds(25) }
        channel.embeddedEventLoop.advanceTime(by: .seconds(25))
        #expect(try channel.readOutbound(as: WebSocketFrame.self)?.opcode == .ping)
        channel.embeddedEventLoop.advanceTime(by: .seconds(25))
        #expect(try channel.readOutbound(as: WebSocketFrame.self)?.opcode == .ping)
        _ = channel.close()
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(self.closeCode(try channel.readOutbound(as: WebSocketFrame.self)) == .normalClosure)
        #expect(try channel.readOutbound(as: WebSocketFrame.self) == nil)
    }

    @Test("pings to a peer that does not read are not piled up")
    func pingFlood() throws {
        let (channel, _) = try self.channel()
        channel.isWritable = false
        for index in 0..<1000 { try channel.writeInbound(self.masked(.ping, [UInt8(truncatingIfNeeded: index)])) }
        #expect(try channel.readOutbound(as: WebSocketFrame.self) == nil)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(try channel.readOutbound(as: WebSocketFrame.self)?.unmaskedData == ByteBuffer(bytes: [UInt8(truncatingIfNeeded: 999)]))
        #expect(try channel.readOutbound(as: WebSocketFrame.self) == nil)
        self.drop(channel)
    }
}
