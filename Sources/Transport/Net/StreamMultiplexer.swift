public import NIOCore

/// Many streams over one ordered channel. Yamux conforms; QUIC and WebRTC will.
///
/// A stream is a child `Channel` on the parent's event loop. It carries `ByteBuffer`s, has back-pressure both ways
/// (writability outbound; nothing is credited to the peer until the stream's pipeline has read it), closes its
/// two directions independently (`close(mode: .output)` sends FIN; a FIN received fires `ChannelEvent.inputClosed`), and
/// resets on `close(mode: .all)` when either direction is still open.
public protocol StreamMultiplexer: Sendable {
    var eventLoop: any EventLoop { get }

    /// Opens a stream. `initializer` runs on the loop before the stream becomes active.
    ///
    /// The future fails with ``ConnectionError`` `.closed` or `.streamLimitExceeded`.
    func openStream(initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>) -> EventLoopFuture<any Channel>

    /// Tells the peer that no new stream is welcome and closes the parent channel once what is written has left.
    func close()
}
