import DIGNet
import NIOCore
import NIOEmbedded
import Testing

@testable import DIGSwarm

@Suite("Role detection")
struct RoleDetectionHandlerTests {
    static let header = [UInt8(19)] + Array("/multistream/1.0.0\n".utf8)
    static let proposal = header + [7] + Array("/noise\n".utf8)

    /// What a test sees; all on the one embedded loop.
    final class Outcome {
        var role: ConnectionRole?
        var error: (any Error)?
        var received = ByteBuffer()
    }

    final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let outcome: Outcome
        init(_ outcome: Outcome) { self.outcome = outcome }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.outcome.received.writeImmutableBuffer(self.unwrapInboundIn(data)) }
    }

    func channel(_ silence: Duration? = .milliseconds(150)) throws -> (EmbeddedChannel, Outcome) {
        let channel = EmbeddedChannel()
        let outcome = Outcome()
        let promise = channel.eventLoop.makePromise(of: ConnectionRole.self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let role):
                outcome.role = role
                // Too late to see what was read before, unless it is added in this turn.
                do { try channel.pipeline.syncOperations.addHandler(Collector(outcome)) } catch { outcome.error = error }
            case .failure(let error): outcome.error = error
            }
        }
        try channel.pipeline.syncOperations.addHandler(RoleDetectionHandler(silence: silence, promise: promise))
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
        return (channel, outcome)
    }

    /// What goes out when the negotiation begins after the decision: the header once, whoever wrote it.
    func expectHeaderOnce(_ channel: EmbeddedChannel, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for piece in [Array(Self.header.prefix(5)), Array(Self.header.dropFirst(5)) + [42], [43]] { try channel.writeOutbound(ByteBuffer(bytes: piece)) }
        var sent: [UInt8] = []
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { sent += bytes.readableBytesView }
        let isOnce = sent == Self.header + [42, 43]
        #expect(isOnce, "\(sent.count)", sourceLocation: sourceLocation)
        #expect(throws: (any Error).self, sourceLocation: sourceLocation) {
            _ = try channel.pipeline.syncOperations.handler(type: RoleDetectionHandler.self)
        }
    }

    @Test("a peer that greets and waits is greeted, so that it proposes: some dialers do not before")
    func greeted() throws {
        let (channel, outcome) = try self.channel()
        try channel.writeInbound(ByteBuffer(bytes: Self.header))
        let greeting = try channel.readOutbound(as: ByteBuffer.self)
        #expect(greeting == ByteBuffer(bytes: Self.header))
        #expect(outcome.role == nil)
        try channel.writeInbound(ByteBuffer(bytes: Self.proposal.dropFirst(20)))
        #expect(outcome.role == .listener)
        #expect(outcome.received == ByteBuffer(bytes: Self.proposal))
        // The negotiation's own header is kept back.
        try channel.writeOutbound(ByteBuffer(bytes: Self.proposal))
        var sent: [UInt8] = []
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { sent += bytes.readableBytesView }
        let isBare = sent == Array(Self.proposal.dropFirst(20))
        #expect(isBare, "\(sent.count)")
        #expect(try channel.finish().isClean)
    }

    @Test("a peer that proposes is the dialer, and every byte reaches the next handler", arguments: [1, 7, 20, 21, 28])
    func proposed(step: Int) throws {
        let (channel, outcome) = try self.channel()
        for start in stride(from: 0, to: Self.proposal.count, by: step) {
            #expect(start > 20 || outcome.role == nil)
            try channel.writeInbound(ByteBuffer(bytes: Self.proposal[start..<min(Self.proposal.count, start + step)]))
        }
        #expect(outcome.role == .listener)
        #expect(outcome.received == ByteBuffer(bytes: Self.proposal))
        try channel.writeInbound(ByteBuffer(string: "later"))
        #expect(outcome.received == ByteBuffer(bytes: Self.proposal + Array("later".utf8)))
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(outcome.role == .listener)
        try self.expectHeaderOnce(channel)
        #expect(try channel.finish().isClean)
    }

    @Test("a peer that is silent, or only greets, is the listener", arguments: [0, 1, 20])
    func silent(byteCount: Int) throws {
        let (channel, outcome) = try self.channel()
        if byteCount > 0 { try channel.writeInbound(ByteBuffer(bytes: Self.header.prefix(byteCount))) }
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(149))
        #expect(outcome.role == nil)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(outcome.role == .dialer)
        #expect(outcome.received == ByteBuffer(bytes: Self.header.prefix(byteCount)))
        try self.expectHeaderOnce(channel)
        #expect(try channel.finish().isClean)
    }

    @Test("how long silence is borne may be said later, and again")
    func limited() throws {
        let (channel, outcome) = try self.channel(nil)
        let handler = try channel.pipeline.syncOperations.handler(type: RoleDetectionHandler.self)
        channel.embeddedEventLoop.advanceTime(by: .seconds(3600))
        #expect(outcome.role == nil)
        handler.limitSilence(to: .milliseconds(500))
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(400))
        handler.limitSilence(to: .milliseconds(150))
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(149))
        #expect(outcome.role == nil)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(outcome.role == .dialer)
        handler.limitSilence(to: .zero)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(outcome.role == .dialer && outcome.error == nil)
        #expect(try channel.finish().isClean)
    }

    @Test("fails when the channel closes first")
    func closed() throws {
        let (channel, outcome) = try self.channel()
        #expect(try channel.finish().isClean)
        #expect(outcome.error as? ConnectionError == ConnectionError(.closed, ""))
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(outcome.role == nil)
    }
}
