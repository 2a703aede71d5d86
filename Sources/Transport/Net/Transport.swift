public import DIGMultiformats
public import NIOCore

/// Turns addresses of one family into channels that carry raw bytes.
///
/// A transport neither secures nor multiplexes: the swarm upgrades the channel. Channels are handed over with an empty
/// pipeline and `autoRead` on; no byte is lost between the hand-over and the first handler added by `initializer`.
public protocol Transport: Sendable {
    /// Whether ``dial(_:for:on:initializer:)`` understands `address`, ignoring a trailing `/p2p/…`.
    func canDial(_ address: Multiaddr) -> Bool

    /// Whether ``listen(on:initializer:)`` understands `address`.
    func canListen(on address: Multiaddr) -> Bool

    /// Opens a channel to `address`. Cancelling closes it.
    ///
    /// - Parameters:
    ///   - purpose: Decides the port it leaves from, where there are ports.
    ///   - eventLoop: The loop the channel will live on, unless it is a stream of a connection, which has its own.
    ///   - initializer: Adds the handlers; runs on `eventLoop` before the first byte is read.
    /// - Throws: The system's error: refused, unreachable, timed out.
    func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel

    /// Replaces a name in `address` by the IP addresses it stands for. An address without a name is returned as it is.
    ///
    /// - Throws: The system's error if the name can't be resolved.
    func resolve(_ address: Multiaddr) async throws -> [Multiaddr]

    /// Accepts channels at `address` until the listener is closed.
    ///
    /// - Parameter initializer: Called for each accepted channel with the address of its remote end.
    /// - Throws: The system's error if the address cannot be bound.
    func listen(
        on address: Multiaddr,
        initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener
}

extension Transport {
    public func resolve(_ address: Multiaddr) async throws -> [Multiaddr] { [address] }

    /// Opens a channel for an ordinary connection.
    public func dial(
        _ address: Multiaddr, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        try await self.dial(address, for: .connect, on: eventLoop, initializer: initializer)
    }
}

/// A bound address that accepts channels.
public protocol Listener: Sendable {
    /// The address bound, with the port the system chose.
    var address: Multiaddr { get }

    /// Stops accepting. Accepted channels stay open.
    func close() async
}
