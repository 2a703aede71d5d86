import DIGMultiformats
import DIGNet

struct WebSocketListener: Listener {
    let base: any Listener
    let suffix: [Multiaddr.Component]

    var address: Multiaddr { Multiaddr(components: self.base.address.components + self.suffix) }

    func close() async { await self.base.close() }
}
