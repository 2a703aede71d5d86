public import DIGNet
public import NIOCore

/// The stream multiplexer `/yamux/1.0.0`.
public enum Yamux {
    public static let protocolID: ProtocolID = "/yamux/1.0.0"

    /// Puts a multiplexer at the end of the pipeline of `channel`, which carries the `ByteBuffer`s of an ordered connection.
    ///
    /// On the channel's loop the handler is in place when the call returns, so a handler that gets out of the way may forward bytes
    /// to it in the same turn.
    ///
    /// - Parameters:
    ///   - role: The dialer opens odd streams, the listener even ones.
    ///   - inboundStreamInitializer: Runs on the loop for each stream the peer opens, before its first byte is read. If its future
    ///     fails, the stream is reset.
    public static func multiplex(
        _ channel: any Channel, as role: ConnectionRole, configuration: YamuxConfiguration,
        inboundStreamInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any StreamMultiplexer> {
        let add: @Sendable () throws -> any StreamMultiplexer = {
            let handler = YamuxHandler(
                role: role, configuration: configuration, eventLoop: channel.eventLoop,
                inboundStreamInitializer: inboundStreamInitializer)
            try channel.pipeline.syncOperations.addHandler(handler)
            return YamuxMultiplexer(handler: handler, eventLoop: channel.eventLoop)
        }
        if channel.eventLoop.inEventLoop { return channel.eventLoop.makeCompletedFuture { try add() } }
        return channel.eventLoop.submit { try add() }
    }
}
