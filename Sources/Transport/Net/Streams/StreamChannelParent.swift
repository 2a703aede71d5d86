/// The connection as one of its streams sees it: what a multiplexer does for a ``StreamChannel``.
///
/// Every call is made on the event loop. A stream never pushes bytes: it says that it has some, and the multiplexer takes them
/// with ``StreamChannel/takeOutbound(_:into:)`` when it is that stream's turn, the peer's window allows it and the connection has room.
package protocol StreamChannelParent: AnyObject {
    /// `stream` became active, has flushed bytes, or wants to finish its outbound half.
    func streamBecameReady(_ stream: StreamChannel)

    /// `byteCount` bytes have gone through the pipeline of `stream`: the peer may have that much credit again.
    func stream(_ stream: StreamChannel, consumed byteCount: Int)

    /// `stream` is closed; nothing more comes from it. If one of its halves is still open, the peer must be told (RST).
    func streamDidClose(_ stream: StreamChannel)
}
