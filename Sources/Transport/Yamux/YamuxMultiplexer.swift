import DIGNet
import NIOCore

/// Lets any thread talk to the ``YamuxHandler`` of a connection.
final class YamuxMultiplexer: StreamMultiplexer {
    let eventLoop: any EventLoop
    private let handler: NIOLoopBound<YamuxHandler>

    /// On `eventLoop`.
    init(handler: YamuxHandler, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
    }

    func openStream(
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        if self.eventLoop.inEventLoop { return self.handler.value.openStream(initializer: initializer) }
        return self.eventLoop.flatSubmit { self.handler.value.openStream(initializer: initializer) }
    }

    func close() {
        if self.eventLoop.inEventLoop {
            self.handler.value.close()
        } else {
            self.eventLoop.execute { self.handler.value.close() }
        }
    }
}
