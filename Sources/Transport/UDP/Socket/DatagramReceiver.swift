import NIOCore

/// Hands what one socket receives to its endpoint.
final class DatagramReceiver: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let endpoint: UDPEndpoint
    private let socket: UDPSocket

    init(endpoint: UDPEndpoint, socket: UDPSocket) {
        self.endpoint = endpoint
        self.socket = socket
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        var destination = self.socket.address
        // The port is not part of the packet's information.
        if let information = envelope.metadata?.packetInfo {
            destination = information.destinationAddress
            destination.port = self.socket.address.port
        }
        self.endpoint.received(Datagram(payload: envelope.data, source: envelope.remoteAddress, destination: destination))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.endpoint.receivedBatch()
    }

    /// An error of an earlier datagram, a port where nobody listens for example, says nothing about the socket.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.endpoint.ignored(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.endpoint.socketClosed()
    }
}
