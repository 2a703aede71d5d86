import NIOCore
import NIOEmbedded
import Testing

@testable import DIGWebSocket

@Suite("WebSocket handshake on a channel")
struct WebSocketHandshakeHandlerTests {
    private func makeChannel(_ role: WebSocketRole) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try WebSocketTransport(group: channel.eventLoop).addHandlers(to: channel, as: role)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func sent(_ channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let data = try channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let bytes) = data { text += String(buffer: bytes) }
        }
        return text
    }

    /// What a client sends, one mask for all.
    private func frame(_ bytes: [UInt8], isMasked: Bool) -> [UInt8] {
        isMasked ? [0x82, 0x80 | UInt8(bytes.count), 0, 0, 0, 0] + bytes : [0x82, UInt8(bytes.count)] + bytes
    }

    /// The response to the request that `channel` has sent.
    private func response(to request: String) throws -> String {
        let line = try #require(request.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") })
        let accept = WebSocketHandshake.acceptance(of: String(line.dropFirst(19)))
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\r\n"
    }

    @Test("bytes right behind the head, in the same read, in the same turn of the loop, or later, are each handed on once", arguments: 0..<3)
    func leftovers(turn: Int) throws {
        let client = try self.makeChannel(.client(host: "example.com", path: "/"))
        let response = Array(try self.response(to: try self.sent(client)).utf8)
        let server = try self.makeChannel(.server(path: nil))
        let request = Array("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".utf8)
        for (channel, head, isMasked) in [(client, response, false), (server, request, true)] {
            let frames = [self.frame([1, 2, 3], isMasked: isMasked), self.frame([4], isMasked: isMasked)]
            switch turn {
            case 0:
                channel.pipeline.fireChannelRead(ByteBuffer(bytes: head + frames[0] + frames[1]))
            case 1:
                for bytes in [head] + frames { channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes)) }
            default:
                channel.pipeline.fireChannelRead(ByteBuffer(bytes: head))
                channel.embeddedEventLoop.run()
                for bytes in frames { channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes)) }
            }
            channel.embeddedEventLoop.run()
            var received: [UInt8] = []
            while let bytes = try channel.readInbound(as: ByteBuffer.self) { received += Array(bytes.readableBytesView) }
            #expect(received == [1, 2, 3, 4])
            try channel.throwIfErrorCaught()
        }
    }

    @Test("one byte at a time is enough")
    func drip() throws {
        let client = try self.makeChannel(.client(host: "example.com", path: "/"))
        let bytes = Array(try self.response(to: try self.sent(client)).utf8) + self.frame([1, 2, 3], isMasked: false) + self.frame([4], isMasked: false)
        var received: [UInt8] = []
        for byte in bytes {
            client.pipeline.fireChannelRead(ByteBuffer(bytes: [byte]))
            client.embeddedEventLoop.run()
            while let bytes = try client.readInbound(as: ByteBuffer.self) { received += Array(bytes.readableBytesView) }
        }
        #expect(received == [1, 2, 3, 4])
    }

    @Test("another answer ends the channel with its status")
    func refused() throws {
        let client = try self.makeChannel(.client(host: "example.com", path: "/"))
        _ = try self.sent(client)
        client.pipeline.fireChannelRead(ByteBuffer(string: "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno"))
        client.embeddedEventLoop.run()
        let error = #expect(throws: WebSocketError.self) { try client.throwIfErrorCaught() }
        #expect(error?.code == .refused)
        #expect(error?.message.contains("503") == true)
        #expect(!client.isActive)
    }
}
