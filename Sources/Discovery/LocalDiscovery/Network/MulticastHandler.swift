import NIOCore

/// Hands each datagram of one socket to the driver.
final class MulticastHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let id: LocalDiscoveryStateMachine.InterfaceID
    /// The socket has a port of its own.
    private let isUnicast: Bool
    private let driver: LocalDiscoveryDriver

    init(id: LocalDiscoveryStateMachine.InterfaceID, isUnicast: Bool, driver: LocalDiscoveryDriver) {
        self.id = id
        self.isUnicast = isUnicast
        self.driver = driver
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.driver.received(self.unwrapInboundIn(data), on: self.id, isUnicast: self.isUnicast)
    }

    /// A datagram that could not be received or sent, because a cable was pulled for example, is no reason to close.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.driver.failed(error, on: self.id)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.driver.closed(self.id, isUnicast: self.isUnicast)
    }
}
