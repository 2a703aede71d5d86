import DIGMultiformats
import NIOCore

/// RFC 6887 §11, and §15 with a lifetime of 0. For an IPv6 client the mapping is a hole in the firewall.
struct PCPMapRequest: GatewayRequest, Hashable {
    struct Answer: Hashable, Sendable {
        var externalAddress: IPAddress
        var externalPort: UInt16
        var lifetimeSeconds: UInt32
        var epoch: UInt32
    }

    var client: IPAddress
    /// The same for every request about one mapping (§11.2).
    var nonce: PCPNonce
    var transport: PortMapping.TransportProtocol
    var internalPort: UInt16
    /// 0 for any, and in a deletion.
    var suggestedExternalPort: UInt16
    var suggestedExternalAddress: IPAddress?
    var lifetimeSeconds: UInt32

    func encode() -> ByteBuffer {
        let anyAddress: IPAddress =
            switch self.client {
            case .v4: .v4(.any)
            case .v6: .v6(.any)
            }
        var buffer = ByteBuffer()
        buffer.writePCPMapRequest(
            PCPMapPayload(
                nonce: self.nonce, transport: self.transport, internalPort: self.internalPort, externalPort: self.suggestedExternalPort,
                externalAddress: self.suggestedExternalAddress ?? anyAddress),
            lifetimeSeconds: self.lifetimeSeconds, client: self.client)
        return buffer
    }

    func answer(in datagram: ByteBuffer) throws(GatewayAnswerError) -> Answer? {
        let response = try PCPResponse.decode(datagram)
        switch response.body {
        case .map(let payload):
            // §11.4: a wrong nonce, protocol or port is no answer of ours, whatever the result.
            guard payload.nonce == self.nonce, payload.transport == self.transport, payload.internalPort == self.internalPort else { return nil }
            guard response.result == PCPResultCode.success.rawValue else { throw .refused(PCPResponse.error(response.result)) }
            guard self.lifetimeSeconds == 0 || (payload.externalPort != 0 && response.lifetimeSeconds != 0) else {
                throw .malformed("granted port \(payload.externalPort) for \(response.lifetimeSeconds) s")
            }
            return Answer(
                externalAddress: payload.externalAddress, externalPort: payload.externalPort, lifetimeSeconds: response.lifetimeSeconds,
                epoch: response.epoch)
        case .none(opcode: 1): throw .refused(PCPResponse.error(response.result))
        case .none, .announce: return nil
        }
    }
}
