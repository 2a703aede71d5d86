import NIOCore

/// RFC 6886 §3.3, and §3.4 with a lifetime of 0.
struct NATPMPMapRequest: GatewayRequest, Hashable {
    struct Answer: Hashable, Sendable {
        /// 0 in the answer to a deletion.
        var externalPort: UInt16
        var lifetimeSeconds: UInt32
        var epoch: UInt32
    }

    var transport: PortMapping.TransportProtocol
    var internalPort: UInt16
    /// 0 for any, and in a deletion.
    var suggestedExternalPort: UInt16
    var lifetimeSeconds: UInt32

    func encode() -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeNATPMPMapRequest(
            self.transport, internalPort: self.internalPort, suggestedExternalPort: self.suggestedExternalPort, lifetimeSeconds: self.lifetimeSeconds)
        return buffer
    }

    func answer(in datagram: ByteBuffer) throws(GatewayAnswerError) -> Answer? {
        switch try NATPMPResponse.decode(datagram) {
        case .mapped(self.transport, self.internalPort, let externalPort, let lifetimeSeconds, let epoch):
            guard self.lifetimeSeconds == 0 || (externalPort != 0 && lifetimeSeconds != 0) else {
                throw .malformed("granted port \(externalPort) for \(lifetimeSeconds) s")
            }
            return Answer(externalPort: externalPort, lifetimeSeconds: lifetimeSeconds, epoch: epoch)
        case .failure(self.transport.natPMPOpcode, let result, _): throw .refused(NATPMPResponse.error(result))
        case .failure, .mapped, .externalAddress: return nil
        }
    }
}
