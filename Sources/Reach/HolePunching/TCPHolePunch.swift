public import DIGMultiformats
public import DIGNet
public import NIOCore

/// Punches a TCP hole between two endpoints, for callers who agreed with the other end by themselves that both do so at the same time.
///
/// Listens on `localEndpoint` and dials `remoteEndpoint` from there, again and again until one of the two leads to a channel. What arrives
/// on the listener counts only if it comes from the host of `remoteEndpoint`. Nothing proves who is at the other end: upgrade the channel.
///
/// - Parameters:
///   - localEndpoint: The address that the NAT maps to the one that the other end dials, such as `/ip4/0.0.0.0/tcp/4001`.
///   - timeout: For the whole.
///   - transport: Must dial from its listening port for ``DIGNet/DialPurpose/punch``, as `TCPTransport` does.
///   - initializer: Adds the handlers to a channel before its first byte is read; channels that come too late are closed.
/// - Throws: ``HolePunchError`` `.timedOut`; the system's error if `localEndpoint` cannot be bound; `CancellationError`.
public func performTCPHolePunch(
    localEndpoint: Multiaddr, remoteEndpoint: Multiaddr, timeout: Duration = .seconds(5), over transport: any Transport,
    on eventLoop: any EventLoop, initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
) async throws -> any Channel {
    let (accepted, acceptance) = AsyncStream.makeStream(of: (any Channel).self, bufferingPolicy: .bufferingOldest(1))
    let listener = try await transport.listen(on: localEndpoint) { channel, remote in
        guard remote.components.first == remoteEndpoint.components.first else {
            return channel.eventLoop.makeFailedFuture(ConnectionError(.peerMismatch, "\(remote) is not the other end"))
        }
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(ActivationHandler(acceptance: acceptance))
        }.flatMap { initializer(channel) }
    }
    let first: (any Channel)?
    do {
        first = try await withThrowingTaskGroup(of: (any Channel)?.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                for await channel in accepted { return channel }
                throw CancellationError()
            }
            group.addTask {
                do {
                    return try await transport.dial(remoteEndpoint, for: .punch, on: eventLoop, initializer: initializer)
                } catch let error as CancellationError {
                    throw error
                } catch {
                    // The other end's dial may still arrive.
                    try await Task.sleep(for: timeout)
                    throw error
                }
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            return try await group.next() ?? nil
        }
    } catch {
        acceptance.finish()
        await listener.close()
        throw error
    }
    acceptance.finish()
    await listener.close()
    for await late in accepted where late !== first { late.close(promise: nil) }
    guard let first else { throw HolePunchError(.timedOut, "no connection with \(remoteEndpoint) in \(timeout)") }
    return first
}

/// Reports an accepted channel once it is active: closing the listener before that would close it too.
private final class ActivationHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let acceptance: AsyncStream<any Channel>.Continuation

    init(acceptance: AsyncStream<any Channel>.Continuation) { self.acceptance = acceptance }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        if case .enqueued = self.acceptance.yield(context.channel) {} else { context.close(promise: nil) }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
