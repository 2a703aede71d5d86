public import NIOCore

/// What one UDP packet carried, and between whom.
public struct Datagram: Sendable {
    public var payload: ByteBuffer
    /// Who sent it, if the address is true: UDP proves nothing.
    public var source: SocketAddress
    /// Where it was sent to: this end's own address, or the wildcard if the system did not say.
    public var destination: SocketAddress

    public init(payload: ByteBuffer, source: SocketAddress, destination: SocketAddress) {
        self.payload = payload
        self.source = source
        self.destination = destination
    }
}
