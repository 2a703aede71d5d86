import DIGMultiformats
import DIGNet
import NIOCore

struct MemoryListener: Listener {
    let number: UInt64
    let network: MemoryNetwork
    let group: any EventLoopGroup
    let initializer: @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>

    var address: Multiaddr { Multiaddr(components: [.memory(self.number)]) }

    func close() async {
        self.network.remove(self.number)
    }
}
