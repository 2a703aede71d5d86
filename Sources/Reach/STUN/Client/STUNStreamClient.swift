public import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Asks STUN servers over TCP (RFC 8489 §6.2.2): how the world sees a TCP port, if asked from a listening one.
public struct STUNStreamClient: Sendable {
    private let group: any EventLoopGroup
    private let configuration: STUNClientConfiguration

    /// - Parameter group: NIOPosix's `MultiThreadedEventLoopGroup`.
    public init(group: any EventLoopGroup, configuration: STUNClientConfiguration = .init()) {
        self.group = group
        self.configuration = configuration
    }

    /// Connects, asks and closes.
    ///
    /// - Parameter local: Connects from this address and port, which a listener that allows it may have (`SO_REUSEPORT`). A port alone is not
    ///   enough: its address family has to be the server's.
    /// - Throws: ``STUNError`` with `.connectionFailed`, `.timedOut`, `.badFingerprint`, `.malformed`, `.addressRefused`, `.errorResponse`, `.closed`;
    ///   `CancellationError`.
    public func binding(from server: SocketAddress, local: SocketAddress? = nil) async throws -> STUNBinding {
        let eventLoop = self.group.any()
        let promise = eventLoop.makePromise(of: STUNBinding.self)
        var request = STUNMessage.bindingRequest()
        if let software = self.configuration.software { request.append(STUNSoftware(software)) }
        let check = STUNAnswerCheck(
            server: server, answersFrom: server, policy: self.configuration.addressPolicy, maximumByteCount: self.configuration.maximumAnswerByteCount)
        let maximumByteCount = self.configuration.maximumAnswerByteCount
        let message = request
        let timeout = TimeAmount(self.configuration.streamTimeout)
        let timer = eventLoop.scheduleTask(in: timeout) { promise.fail(STUNError(.timedOut, "\(server) does not answer over TCP")) }

        var bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(timeout)
        if let local {
            bootstrap = bootstrap.bind(to: local).channelOption(.socketOption(.so_reuseaddr), value: 1)
                .channelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
        }
        let channel = bootstrap.channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers(
                    ByteToMessageHandler(STUNFrameDecoder(maximumByteCount: maximumByteCount)),
                    STUNStreamHandler(request: message, check: check, promise: promise))
            }
        }.connect(to: server)
        channel.whenFailure { promise.fail(STUNError(.connectionFailed, "no TCP connection to \(server)", cause: $0)) }
        promise.futureResult.whenComplete { _ in
            timer.cancel()
            channel.whenSuccess { $0.close(promise: nil) }
        }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }
}

/// Asks as soon as the connection stands, and takes the first answer to its question.
private final class STUNStreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: STUNMessage
    private let check: STUNAnswerCheck
    private let promise: EventLoopPromise<STUNBinding>
    private var sentAt = ContinuousClock.now

    init(request: STUNMessage, check: STUNAnswerCheck, promise: EventLoopPromise<STUNBinding>) {
        self.request = request
        self.check = check
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        self.sentAt = .now
        context.writeAndFlush(self.wrapOutboundOut(self.request.encoded()), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = self.unwrapInboundIn(data)
        // Something else is nothing that we asked for.
        guard frame.stunResponseTransactionID == self.request.transactionID else { return }
        switch self.check.check(frame, from: self.check.answersFrom) {
        case .binding(var binding):
            binding.roundTripTime = .now - self.sentAt
            self.promise.succeed(binding)
        // Nothing is lost on the way: no other answer will come.
        case .ignored(let error), .failed(let error):
            self.promise.fail(error)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.promise.fail(STUNError(error is STUNDecodingError ? .malformed : .closed, "\(self.check.server) sent no valid answer", cause: error))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.promise.fail(STUNError(.closed, "\(self.check.server) closed the connection without an answer"))
    }
}
