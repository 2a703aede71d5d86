import DIGIdentity
import DIGMultiformats
import NIOCore
import NIOPosix
import Synchronization

@testable import DIGDNS

/// TXT records that a test makes up, and what was asked for.
final class MadeUpRecords: TextRecordSource {
    private let answer: @Sendable (String) throws -> [String]
    private let questions = Mutex<[String]>([])

    init(_ answer: @escaping @Sendable (String) throws -> [String]) { self.answer = answer }

    convenience init(_ records: [String: [String]]) {
        self.init { name in
            guard let records = records[name] else { throw DNSError(.notFound, "\(name) does not exist") }
            return records
        }
    }

    var asked: [String] { self.questions.withLock { $0 } }

    func texts(of name: String, until deadline: ContinuousClock.Instant) async throws -> [[UInt8]] {
        self.questions.withLock { $0.append(name) }
        return try self.answer(name).map { Array($0.utf8) }
    }
}

/// Messages as a server sends them (RFC 1035 §4).
enum Wire {
    static func name(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 } + [0]
    }

    static func number(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 0xff), UInt8(number & 0xff)] }

    /// A TXT record of the name at offset 12, in parts of at most 255 bytes.
    static func record(_ text: String) -> [UInt8] { Self.record(data: Self.parts(Array(text.utf8))) }

    static func parts(_ text: [UInt8]) -> [UInt8] {
        var data: [UInt8] = []
        var rest = text[...]
        repeat {
            let part = rest.prefix(255)
            rest = rest.dropFirst(255)
            data += [UInt8(part.count)] + part
        } while !rest.isEmpty
        return data
    }

    static func record(type: Int = 16, data: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [0xc0, 12]
        bytes += Self.number(type)
        bytes += [0, 1, 0, 0, 0, 60]
        bytes += Self.number(data.count)
        return bytes + data
    }

    /// - Parameter query: Its id and question are repeated.
    static func answer(to query: [UInt8], records: [[UInt8]], code: UInt8 = 0, isCutOff: Bool = false) -> [UInt8] {
        // The question ends behind its name, type and class.
        var end = 12
        while end < query.count, query[end] != 0 { end += 1 + Int(query[end]) }
        end = min(query.count, end + 5)
        var bytes = Array(query.prefix(2))
        bytes += [isCutOff ? 0x87 : 0x85, 0x80 | code, 0, 1]
        bytes += Self.number(records.count)
        bytes += [0, 0, 0, 0]
        bytes += query[min(12, end)..<end]
        for record in records { bytes += record }
        return bytes
    }

    static func query(_ name: String) -> [UInt8] {
        let head: [UInt8] = [1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        return head + Self.name(name) + [0, 16, 0, 1]
    }
}

/// A DNS server over UDP that answers as a test wants.
final class MadeUpServer: Sendable {
    private let channel: any Channel
    let port: UInt16

    /// - Parameter answers: What to send for a message: any number of datagrams.
    init(_ answers: @escaping @Sendable ([UInt8]) -> [[UInt8]]) async throws {
        let counter = Counter()
        self.channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(answers: answers, counter: counter)) }
            }.bind(host: "127.0.0.1", port: 0).get()
        self.port = UInt16(self.channel.localAddress?.port ?? 0)
        self.counter = counter
    }

    private let counter: Counter
    var questionCount: Int { self.counter.value.withLock { $0 } }

    var configuration: DNSConfiguration {
        var configuration = DNSConfiguration()
        configuration.server = .init(host: "127.0.0.1", port: self.port)
        configuration.attemptTimeout = .seconds(1)
        configuration.attempts = 1
        return configuration
    }

    func close() async throws { try await self.channel.close() }

    private final class Counter: Sendable {
        let value = Mutex(0)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>

        let answers: @Sendable ([UInt8]) -> [[UInt8]]
        let counter: Counter

        init(answers: @escaping @Sendable ([UInt8]) -> [[UInt8]], counter: Counter) {
            self.answers = answers
            self.counter = counter
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = self.unwrapInboundIn(data)
            self.counter.value.withLock { $0 += 1 }
            for answer in self.answers(Array(envelope.data.readableBytesView)) {
                context.writeAndFlush(self.wrapOutboundOut(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: answer))), promise: nil)
            }
        }
    }
}

