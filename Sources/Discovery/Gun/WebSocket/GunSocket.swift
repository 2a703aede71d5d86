import NIOCore

/// What happens on the WebSockets of a peer, on their event loops.
protocol GunSocketDelegate: AnyObject, Sendable {
    /// Nothing is received before this returns.
    func opened(_ socket: GunSocket)
    func received(_ bytes: [UInt8], on socket: GunSocket)
    /// A message that was too long to be kept.
    func receivedOversize(on socket: GunSocket)
    /// Once for each that was opened.
    func closed(_ socket: GunSocket)
}

/// An open WebSocket.
final class GunSocket: Sendable {
    private let channel: any Channel
    /// What was dialed; nil if it was accepted.
    let url: GunURL?

    init(channel: any Channel, url: GunURL?) {
        self.channel = channel
        self.url = url
    }

    func send(_ texts: [[UInt8]]) {
        self.channel.writeAndFlush(GunOutbound(texts: texts), promise: nil)
    }

    func close() { self.channel.close(promise: nil) }

    var closed: EventLoopFuture<Void> { self.channel.closeFuture }
}

/// WebSocket messages on their way out.
struct GunOutbound: Sendable {
    var texts: [[UInt8]]
}
