import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A TCP server on the loopback interface that answers each request, once it is whole, as a test says.
final class FakeHTTPServer: Sendable {
    enum Answer: Sendable {
        case send(String)
        /// One byte each 10 ms, for ever.
        case drip(String)
        /// 64 KiB at a time until the other end closes.
        case flood(String)
        case silence
    }

    let port: UInt16
    private let channel: any Channel
    private let log: Log

    final class Log: Sendable {
        let requests = Mutex<[String]>([])
    }

    private init(_ channel: any Channel, _ port: UInt16, _ log: Log) {
        self.channel = channel
        self.port = port
        self.log = log
    }

    var requests: [String] { self.log.requests.withLock { $0 } }

    final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let answer: @Sendable (String) -> Answer
        let log: Log
        var text = ""
        init(_ answer: @escaping @Sendable (String) -> Answer, _ log: Log) {
            self.answer = answer
            self.log = log
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.text += String(buffer: self.unwrapInboundIn(data))
            guard let end = self.text.range(of: "\r\n\r\n") else { return }
            let length = self.text[..<end.lowerBound].split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
                .flatMap { Int($0.split(separator: ":")[1].drop { $0 == " " }) } ?? 0
            guard self.text[end.upperBound...].utf8.count >= length else { return }
            let request = self.text
            self.text = ""
            self.log.requests.withLock { $0.append(request) }
            let channel = context.channel
            switch self.answer(request) {
            case .send(let text):
                channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in channel.close(promise: nil) }
            case .drip(let text):
                channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
                channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(10)) { task in
                    if !channel.isActive { task.cancel() }
                    channel.writeAndFlush(ByteBuffer(string: " "), promise: nil)
                }
            case .flood(let text):
                channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
                Self.flood(channel)
            case .silence: break
            }
        }

        static func flood(_ channel: any Channel) {
            channel.writeAndFlush(ByteBuffer(repeating: 0x20, count: 65536)).whenSuccess { Self.flood(channel) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    static func start(_ answer: @escaping @Sendable (String) -> Answer) async throws -> FakeHTTPServer {
        let log = Log()
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(answer, log)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeHTTPServer(channel, UInt16(channel.localAddress?.port ?? 0), log)
    }

    func stop() async throws {
        try await self.channel.close()
    }

    static func page(_ body: String, status: String = "200 OK", headers: String = "") -> Answer {
        .send("HTTP/1.1 \(status)\r\nContent-Type: text/xml\r\nContent-Length: \(body.utf8.count)\r\n\(headers)Connection: close\r\n\r\n\(body)")
    }
}
