import DIGMultiformats
import NIOCore

/// RFC 6886 §3.2.
struct NATPMPExternalAddressRequest: GatewayRequest, Hashable {
    struct Answer: Hashable, Sendable {
        var address: IPv4Address
        var epoch: UInt32
    }

    func encode() -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeNATPMPExternalAddressRequest()
        return buffer
    }

    func answer(in datagram: ByteBuffer) throws(GatewayAnswerError) -> Answer? {
        switch try NATPMPResponse.decode(datagram) {
        case .externalAddress(let address, let epoch): return Answer(address: address, epoch: epoch)
        case .failure(opcode: 0, let result, _): throw .refused(NATPMPResponse.error(result))
        case .failure, .mapped: return nil
        }
    }
}

extension NATPMPResponse {
    /// Decodes for an exchange.
    static func decode(_ datagram: ByteBuffer) throws(GatewayAnswerError) -> NATPMPResponse {
        var datagram = datagram
        do throws(NATPMPDecodingError) {
            return try datagram.readNATPMPResponse()
        } catch {
            switch error {
            case .unsupportedVersion(let version): throw .refused(PortMappingError(.notSupported, "the gateway answers in version \(version), not NAT-PMP"))
            default: throw .malformed("\(error)")
            }
        }
    }

    /// What a result that is not success means to us.
    static func error(_ result: UInt16) -> PortMappingError {
        switch NATPMPResultCode(rawValue: result) {
        case .unsupportedVersion, .unsupportedOpcode: PortMappingError(.notSupported, "the gateway does not support this (NAT-PMP result \(result))")
        case .notAuthorized: PortMappingError(.refused, "the gateway refuses: mapping is switched off there, or not allowed to us (NAT-PMP result 2)")
        case .networkFailure: PortMappingError(.noExternalAddress, "the gateway has no external address (NAT-PMP result 3)")
        case .outOfResources: PortMappingError(.outOfResources, "the gateway has no room for the mapping (NAT-PMP result 4)")
        case .success, nil: PortMappingError(.refused, "the gateway refuses (NAT-PMP result \(result))")
        }
    }
}
