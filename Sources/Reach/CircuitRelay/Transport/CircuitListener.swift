import DIGMultiformats
import DIGNet

/// Accepts circuits, from one relay or from all that serve this node.
struct CircuitListener: Listener {
    let address: Multiaddr
    let onClose: @Sendable () async -> Void

    func close() async { await self.onClose() }
}
