/// A protocol that shares a UDP port.
///
/// Called on the endpoint's event loop, datagram by datagram, and must not block. What it cannot deal with at once it has to drop or to
/// keep under a limit of its own.
public protocol DatagramHandler: AnyObject, Sendable {
    /// - Returns: Whether the datagram was this handler's. If not, the next one registered for its kind is asked.
    func received(_ datagram: Datagram, on endpoint: UDPEndpoint) -> Bool

    /// No more datagrams are waiting: time to answer all that came since the last call together.
    func receivedBatch(on endpoint: UDPEndpoint)

    /// A socket of the endpoint is gone, or the endpoint was closed. Not called again.
    func endpointClosed(_ endpoint: UDPEndpoint)
}

extension DatagramHandler {
    public func receivedBatch(on endpoint: UDPEndpoint) {}
    public func endpointClosed(_ endpoint: UDPEndpoint) {}
}
