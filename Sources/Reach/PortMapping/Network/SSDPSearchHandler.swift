import DIGMultiformats
import DIGNet
import Logging
import NIOCore

/// Runs an ``SSDPSearchStateMachine`` on a UDP socket, and closes it.
final class SSDPSearchHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private var machine: SSDPSearchStateMachine
    /// The group, and the gateway itself (UPnP Device Architecture 1.1 §1.3.2 allows unicast).
    private let destinations: [SocketAddress]
    private let host: String
    private let refusals: RefusalLog
    private var promise: EventLoopPromise<[GatewayURL]>?
    private var timer: Scheduled<Void>?

    init(_ machine: SSDPSearchStateMachine, destinations: [SocketAddress], host: String, refusals: RefusalLog, promise: EventLoopPromise<[GatewayURL]>) {
        self.machine = machine
        self.refusals = refusals
        self.destinations = destinations
        self.host = host
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.proceed(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = self.unwrapInboundIn(data)
        guard case .v4(let source) = IPAddress(datagram.remoteAddress), datagram.data.readableBytes <= SSDPResponse.maximumByteCount else { return }
        if let location = self.machine.received(Array(datagram.data.readableBytesView), from: source, now: .now) {
            self.refusals.note("a gateway names another host as itself", of: source, because: "\(location)")
        }
        self.schedule(context)
    }

    /// One destination that cannot be reached does not end the search.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    func channelInactive(context: ChannelHandlerContext) {
        self.finish(.failure(PortMappingError(.cancelled, "cancelled")), context)
    }

    private func proceed(_ context: ChannelHandlerContext) {
        switch self.machine.deadlineReached(now: .now) {
        case .search:
            for target in SSDPSearchStateMachine.searchTargets {
                let bytes = context.channel.allocator.buffer(string: SSDPSearchStateMachine.request(for: target, host: self.host))
                for destination in self.destinations {
                    context.write(self.wrapOutboundOut(AddressedEnvelope(remoteAddress: destination, data: bytes)), promise: nil)
                }
            }
            context.flush()
        case .finish(let candidates):
            self.finish(.success(candidates), context)
            return
        case .none: break
        }
        self.schedule(context)
    }

    private func schedule(_ context: ChannelHandlerContext) {
        self.timer?.cancel()
        guard self.promise != nil, let deadline = self.machine.deadline else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.timer = context.eventLoop.scheduleTask(in: max(.milliseconds(1), TimeAmount(deadline - .now))) {
            let (handler, context) = bound.value
            if handler.promise != nil { handler.proceed(context) }
        }
    }

    private func finish(_ result: Result<[GatewayURL], any Error>, _ context: ChannelHandlerContext) {
        guard let promise = self.promise else { return }
        self.promise = nil
        self.timer?.cancel()
        promise.completeWith(result)
        context.close(promise: nil)
    }
}
