import Crypto
import DIGIdentity
import DIGNet
import NIOCore
import NIOEmbedded

@testable import DIGNoise

/// Keeps what reaches the end of the pipeline.
final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var bytes = ByteBuffer()
    var readCount = 0
    var errors: [any Error] = []

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.readCount += 1
        self.bytes.writeImmutableBuffer(self.unwrapInboundIn(data))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.errors.append(error) }
}

/// Counts what is written to the channel, flushed or not.
final class WriteCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    var byteCount = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        self.byteCount += self.unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }
}

/// Two active channels whose written bytes are carried over by ``exchange()``.
struct ChannelPair {
    let dialer = EmbeddedChannel()
    let listener = EmbeddedChannel()

    init() throws {
        for channel in [self.dialer, self.listener] {
            try channel.connect(to: SocketAddress(unixDomainSocketPath: "/peer")).now()
        }
    }

    /// Carries bytes over until both are silent, in pieces of at most `step` bytes.
    func exchange(step: Int = .max) throws {
        var moved = true
        while moved {
            moved = false
            for (from, to) in [(self.dialer, self.listener), (self.listener, self.dialer)] {
                while var bytes = try from.readOutbound(as: ByteBuffer.self) {
                    moved = true
                    while let piece = bytes.readSlice(length: min(step, bytes.readableBytes)), piece.readableBytes > 0 {
                        if to.isActive { try to.writeInbound(piece) }
                    }
                }
            }
        }
    }
}

/// Both ends of a secured connection, with a ``Collector`` above each.
struct SecuredPair {
    let channels: ChannelPair
    let atDialer: Collector
    let atListener: Collector

    init() throws {
        self.channels = try ChannelPair()
        let identity = try KeyPair.generate()
        self.atDialer = try Self.secure(self.channels.dialer, as: .dialer, identity: identity)
        self.atListener = try Self.secure(self.channels.listener, as: .listener, identity: identity)
        try self.channels.exchange()
    }

    private static func secure(_ channel: EmbeddedChannel, as role: ConnectionRole, identity: KeyPair) throws -> Collector {
        let collector = Collector()
        Noise.secure(channel, as: role, identity: identity, expecting: nil, muxers: []).assumeIsolated().whenSuccess { _ in
            try? channel.pipeline.syncOperations.addHandler(collector)
        }
        return collector
    }
}

/// Both machines with keys of their own.
struct MachinePair {
    var initiator: NoiseHandshakeStateMachine
    var responder: NoiseHandshakeStateMachine
    let initiatorIdentity: KeyPair
    let responderIdentity: KeyPair

    init(initiatorMuxers: [ProtocolID] = [], responderMuxers: [ProtocolID] = []) throws {
        self.initiatorIdentity = try KeyPair.generate()
        self.responderIdentity = try KeyPair.generate()
        self.initiator = NoiseHandshakeStateMachine(
            role: .dialer, identity: self.initiatorIdentity, expecting: self.responderIdentity.peerID, muxers: initiatorMuxers)
        self.responder = NoiseHandshakeStateMachine(
            role: .listener, identity: self.responderIdentity, expecting: nil, muxers: responderMuxers)
    }
}

extension NoiseHandshakeStateMachine.Action {
    var sent: [UInt8]? {
        switch self {
        case .send(let bytes): bytes
        case .complete(_, let bytes): bytes
        }
    }

    var session: NoiseHandshakeStateMachine.Session? {
        switch self {
        case .send: nil
        case .complete(let session, _): session
        }
    }
}

extension NoiseHandshakeStateMachine {
    mutating func firstMessage() throws -> [UInt8] {
        guard let message = try self.started() else { throw NoiseError.unexpectedMessage }
        return message
    }
}
