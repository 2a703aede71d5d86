public import DIGNet
public import NIOCore

/// Agrees on the protocol of a connection or a stream: multistream-select 1.0.
///
/// The functions add a handler at the end of the channel's pipeline. When the protocol is agreed the future succeeds on
/// the event loop; its callbacks add the next handler in that same turn, and that handler is given every byte which came
/// behind the negotiation, once and in order, as soon as the callbacks have returned. The negotiating handler is removed then.
/// A handler that takes longer to prepare goes into `initializer`.
///
/// When the future fails the channel is being closed. Its error is a ``ConnectionError``: `.noCommonProtocol`,
/// `.protocolViolation`, or `.closed`. No time limit is set: closing the channel ends a negotiation.
public enum Multistream {
    /// Proposes `protocols` in this order until the peer takes one. One round trip if it takes the first.
    ///
    /// - Parameter initializer: Prepares the channel; the future succeeds, and bytes flow, when its future has.
    public static func negotiate(
        on channel: any Channel, proposing protocols: [ProtocolID],
        initializer: (@Sendable (ProtocolID) -> EventLoopFuture<Void>)? = nil
    ) -> EventLoopFuture<ProtocolID> {
        self.add(to: channel, initializer: initializer) { .initiator(MultistreamInitiator(proposing: protocols)) }
    }

    /// Proposes a protocol that the peer is known to speak and does not wait for the answer: no round trip.
    ///
    /// The future succeeds as soon as the channel is active. If the peer refuses after all, ``ConnectionError`` goes through the
    /// pipeline and the channel is closed; nothing the peer sent before that reaches the next handler.
    public static func propose(_ id: ProtocolID, optimisticallyOn channel: any Channel) -> EventLoopFuture<ProtocolID> {
        self.add(to: channel, initializer: nil) { .optimisticInitiator(MultistreamInitiator(proposing: [id]), id) }
    }

    /// Answers the peer's proposals until one is in `protocols`.
    ///
    /// - Parameters:
    ///   - protocols: What is spoken here; asked on the event loop for each proposal.
    ///   - initializer: Prepares the channel; the future succeeds, and bytes flow, when its future has.
    public static func answer(
        on channel: any Channel, supporting protocols: @escaping @Sendable () -> [ProtocolID],
        initializer: (@Sendable (ProtocolID) -> EventLoopFuture<Void>)? = nil
    ) -> EventLoopFuture<ProtocolID> {
        self.add(to: channel, initializer: initializer) { .responder(MultistreamResponder(), supporting: protocols) }
    }

    private static func add(
        to channel: any Channel, initializer: MultistreamHandler.Initializer?,
        role: @escaping @Sendable () -> MultistreamHandler.Role
    ) -> EventLoopFuture<ProtocolID> {
        let promise = channel.eventLoop.makePromise(of: ProtocolID.self)
        let add: @Sendable () -> Void = {
            do {
                try channel.pipeline.syncOperations.addHandler(MultistreamHandler(role: role(), promise: promise, initializer: initializer))
            } catch {
                promise.fail(ConnectionError(.closed, "the channel closed before the protocol was negotiated", cause: error))
            }
        }
        if channel.eventLoop.inEventLoop { add() } else { channel.eventLoop.execute(add) }
        return promise.futureResult
    }
}
