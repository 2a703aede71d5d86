import NIOCore

/// RFC 6887 §14.1: is there a server, and what is its epoch?
struct PCPAnnounceRequest: GatewayRequest, Hashable {
    struct Answer: Hashable, Sendable {
        var epoch: UInt32
    }

    var client: IPAddress

    func encode() -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writePCPAnnounceRequest(client: self.client)
        return buffer
    }

    func answer(in datagram: ByteBuffer) throws(GatewayAnswerError) -> Answer? {
        let response = try PCPResponse.decode(datagram)
        switch response.body {
        case .announce: return Answer(epoch: response.epoch)
        // It does not know ANNOUNCE, but it knows PCP.
        case .none(opcode: 0) where response.result == PCPResultCode.unsupportedOpcode.rawValue: return Answer(epoch: response.epoch)
        case .none(opcode: 0): throw .refused(PCPResponse.error(response.result))
        case .none, .map: return nil
        }
    }
}

extension PCPResponse {
    /// Decodes for an exchange.
    static func decode(_ datagram: ByteBuffer) throws(GatewayAnswerError) -> PCPResponse {
        var datagram = datagram
        do throws(PCPDecodingError) {
            return try datagram.readPCPResponse()
        } catch {
            switch error {
            case .unsupportedVersion(let version): throw .refused(PortMappingError(.notSupported, "the gateway answers in version \(version), not PCP"))
            default: throw .malformed("\(error)")
            }
        }
    }

    /// What a result that is not success means to us.
    static func error(_ result: UInt8) -> PortMappingError {
        switch PCPResultCode(rawValue: result) {
        case .unsupportedVersion, .unsupportedOpcode, .unsupportedProtocol, .unsupportedOption:
            PortMappingError(.notSupported, "the gateway does not support this (PCP result \(result))")
        case .notAuthorized: PortMappingError(.refused, "the gateway refuses: mapping is switched off there, or not allowed to us (PCP result 2)")
        case .networkFailure: PortMappingError(.noExternalAddress, "the gateway has no external address (PCP result 7)")
        case .noResources, .userExceededQuota, .excessiveRemotePeers:
            PortMappingError(.outOfResources, "the gateway has no room for the mapping, or no way to the internet of its own (PCP result \(result))")
        case .cannotProvideExternal: PortMappingError(.conflict, "the external port is not to be had (PCP result 11)")
        case .addressMismatch: PortMappingError(.refused, "the gateway sees us under another address: there is a NAT between us and it (PCP result 12)")
        case .malformedRequest, .malformedOption, .success, nil: PortMappingError(.refused, "the gateway refuses (PCP result \(result))")
        }
    }
}
