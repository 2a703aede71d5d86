import DIGMultiformats
import NIOCore

extension ByteBuffer {
    /// RFC 6886 §3.2: the two bytes that ask for the external address.
    mutating func writeNATPMPExternalAddressRequest() {
        self.writeMultipleIntegers(UInt8(0), UInt8(0))
    }

    /// RFC 6886 §3.3: version, opcode, two reserved bytes, both ports, lifetime.
    mutating func writeNATPMPMapRequest(
        _ transport: PortMapping.TransportProtocol, internalPort: UInt16, suggestedExternalPort: UInt16, lifetimeSeconds: UInt32
    ) {
        self.writeMultipleIntegers(UInt8(0), transport.natPMPOpcode, UInt16(0), internalPort, suggestedExternalPort, lifetimeSeconds)
    }

    /// Reads one response of 8 (failure), 12 or 16 bytes; what follows stays (RFC 6886 §3.2, §3.3, §3.5).
    ///
    /// - Throws: ``NATPMPDecodingError`` if the bytes cannot be a response; nothing is consumed then.
    mutating func readNATPMPResponse() throws(NATPMPDecodingError) -> NATPMPResponse {
        var copy = self
        guard let (version, opcode, result) = copy.readMultipleIntegers(as: (UInt8, UInt8, UInt16).self) else {
            throw .truncated(expected: 8, actual: self.readableBytes)
        }
        guard version == 0 else { throw .unsupportedVersion(version) }
        guard (128...130).contains(opcode) else { throw .unexpectedOpcode(opcode) }
        guard let epoch = copy.readInteger(as: UInt32.self) else { throw .truncated(expected: 8, actual: self.readableBytes) }
        let response: NATPMPResponse
        if result != NATPMPResultCode.success.rawValue {
            response = .failure(opcode: opcode & 127, result: result, epoch: epoch)
        } else if let transport = PortMapping.TransportProtocol(natPMPOpcode: opcode & 127) {
            guard let (internalPort, externalPort, lifetime) = copy.readMultipleIntegers(as: (UInt16, UInt16, UInt32).self) else {
                throw .truncated(expected: 16, actual: self.readableBytes)
            }
            response = .mapped(transport, internalPort: internalPort, externalPort: externalPort, lifetimeSeconds: lifetime, epoch: epoch)
        } else {
            guard let address = copy.readInteger(as: UInt32.self) else { throw .truncated(expected: 12, actual: self.readableBytes) }
            response = .externalAddress(IPv4Address(rawValue: address), epoch: epoch)
        }
        self = copy
        return response
    }
}

extension PortMapping.TransportProtocol {
    /// RFC 6886 §3.3.
    var natPMPOpcode: UInt8 {
        switch self {
        case .udp: 1
        case .tcp: 2
        }
    }

    init?(natPMPOpcode: UInt8) {
        switch natPMPOpcode {
        case 1: self = .udp
        case 2: self = .tcp
        default: return nil
        }
    }
}
