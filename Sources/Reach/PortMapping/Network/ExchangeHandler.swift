import DIGNet
import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Runs an ``ExchangeStateMachine`` on a connected UDP socket, and closes it.
final class ExchangeHandler<Request: GatewayRequest>: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private var machine: ExchangeStateMachine<Request>
    private let gateway: SocketAddress
    private var promise: EventLoopPromise<Request.Answer>?
    private var timer: Scheduled<Void>?

    init(_ machine: ExchangeStateMachine<Request>, gateway: SocketAddress, promise: EventLoopPromise<Request.Answer>) {
        self.machine = machine
        self.gateway = gateway
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.proceed(self.machine.deadlineReached(now: .now), context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = self.unwrapInboundIn(data)
        // The socket is connected, so the system has looked already.
        let isFromGateway = IPAddress(datagram.remoteAddress) == IPAddress(self.gateway) && datagram.remoteAddress.port == self.gateway.port
        self.proceed(self.machine.received(datagram.data, isFromGateway: isFromGateway), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.failed(error, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.finish(.failure(PortMappingError(.cancelled, "cancelled")), context)
    }

    private func failed(_ error: any Error, _ context: ChannelHandlerContext) {
        if let error = error as? IOError, error.errnoCode == ECONNREFUSED {
            self.proceed(self.machine.portUnreachable(), context)
        } else {
            self.finish(.failure(PortMappingError(wrapping: error)), context)
        }
    }

    private func proceed(_ action: ExchangeStateMachine<Request>.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .send(let bytes):
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.writeAndFlush(self.wrapOutboundOut(AddressedEnvelope(remoteAddress: self.gateway, data: bytes))).whenFailure { error in
                let (handler, context) = bound.value
                handler.failed(error, context)
            }
        case .finish(let result):
            self.finish(result.mapError { $0 as any Error }, context)
            return
        case .none: break
        }
        self.timer?.cancel()
        guard self.promise != nil, let deadline = self.machine.deadline else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.timer = context.eventLoop.scheduleTask(in: max(.milliseconds(1), TimeAmount(deadline - .now))) {
            let (handler, context) = bound.value
            guard handler.promise != nil else { return }
            handler.proceed(handler.machine.deadlineReached(now: .now), context)
        }
    }

    private func finish(_ result: Result<Request.Answer, any Error>, _ context: ChannelHandlerContext) {
        guard let promise = self.promise else { return }
        self.promise = nil
        self.timer?.cancel()
        promise.completeWith(result)
        context.close(promise: nil)
    }
}
