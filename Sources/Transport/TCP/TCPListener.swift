import DIGMultiformats
import DIGNet
import NIOCore

/// A listening socket.
struct TCPListener: Listener {
    let address: Multiaddr
    let channel: any Channel
    /// Forgets the port for dialing.
    let onClose: @Sendable () -> Void

    func close() async {
        self.onClose()
        // Closed already is as good.
        try? await self.channel.close()
    }
}
