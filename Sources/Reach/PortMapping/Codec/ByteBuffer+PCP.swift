import DIGMultiformats
import NIOCore

extension ByteBuffer {
    /// RFC 6887 §7.
    static let maximumPCPMessageByteCount = 1100
    static let pcpVersion: UInt8 = 2
    private static let pcpHeaderByteCount = 24
    private static let pcpMapByteCount = 60
    private static let pcpAnnounceOpcode: UInt8 = 0
    private static let pcpMapOpcode: UInt8 = 1

    /// RFC 6887 §14.1: asks whether the server is there, and for its epoch.
    mutating func writePCPAnnounceRequest(client: IPAddress) {
        self.writePCPRequestHeader(opcode: Self.pcpAnnounceOpcode, lifetimeSeconds: 0, client: client)
    }

    /// RFC 6887 §11.1. A lifetime of 0 deletes (§15).
    mutating func writePCPMapRequest(_ payload: PCPMapPayload, lifetimeSeconds: UInt32, client: IPAddress) {
        self.writePCPRequestHeader(opcode: Self.pcpMapOpcode, lifetimeSeconds: lifetimeSeconds, client: client)
        self.writeMultipleIntegers(
            payload.nonce.high, payload.nonce.low, payload.transport.protocolNumber, UInt8(0), UInt16(0), payload.internalPort, payload.externalPort)
        self.writeBytes(payload.externalAddress.pcp.bytes)
    }

    /// RFC 6887 §7.1: version, R and opcode, reserved, lifetime, the client's address.
    private mutating func writePCPRequestHeader(opcode: UInt8, lifetimeSeconds: UInt32, client: IPAddress) {
        self.writeMultipleIntegers(Self.pcpVersion, opcode, UInt16(0), lifetimeSeconds)
        self.writeBytes(client.pcp.bytes)
    }

    /// Reads one response, consuming all bytes; options are not looked at (RFC 6887 §7.2, §11.1).
    ///
    /// - Throws: ``PCPDecodingError`` if the bytes cannot be a response; nothing is consumed then. A NAT-PMP server answers in version 0, and with fewer
    ///   bytes: that is `.unsupportedVersion`.
    mutating func readPCPResponse() throws(PCPDecodingError) -> PCPResponse {
        var copy = self
        let byteCount = self.readableBytes
        guard let (version, opcode) = copy.readMultipleIntegers(as: (UInt8, UInt8).self) else {
            throw .truncated(expected: Self.pcpHeaderByteCount, actual: byteCount)
        }
        guard version == Self.pcpVersion else { throw .unsupportedVersion(version) }
        guard byteCount <= Self.maximumPCPMessageByteCount else { throw .invalidLength(byteCount) }
        guard opcode & 0x80 != 0 else { throw .notAResponse }
        guard let (_, result, lifetime, epoch, _, _) = copy.readMultipleIntegers(as: (UInt8, UInt8, UInt32, UInt32, UInt32, UInt64).self) else {
            throw .truncated(expected: Self.pcpHeaderByteCount, actual: byteCount)
        }
        guard byteCount.isMultiple(of: 4) else { throw .invalidLength(byteCount) }
        let hasFailed = result != PCPResultCode.success.rawValue
        let body: PCPResponse.Body
        switch opcode & 0x7f {
        case Self.pcpMapOpcode where !hasFailed || byteCount >= Self.pcpMapByteCount:
            guard
                let (high, low, transportNumber, _, _, internalPort, externalPort) = copy.readMultipleIntegers(
                    as: (UInt32, UInt64, UInt8, UInt8, UInt16, UInt16, UInt16).self),
                let address = copy.readBytes(length: 16).flatMap({ IPv6Address(bytes: $0) })
            else { throw .truncated(expected: Self.pcpMapByteCount, actual: byteCount) }
            guard let transport = PortMapping.TransportProtocol(protocolNumber: transportNumber) else { throw .unexpectedProtocol(transportNumber) }
            body = .map(
                PCPMapPayload(
                    nonce: PCPNonce(high: high, low: low), transport: transport, internalPort: internalPort, externalPort: externalPort,
                    externalAddress: IPAddress(pcp: address)))
        case Self.pcpAnnounceOpcode where !hasFailed: body = .announce
        case let opcode where hasFailed: body = .none(opcode: opcode)
        case let opcode: throw .unexpectedOpcode(opcode)
        }
        copy.moveReaderIndex(forwardBy: copy.readableBytes)
        self = copy
        return PCPResponse(result: result, lifetimeSeconds: lifetime, epoch: epoch, body: body)
    }
}
