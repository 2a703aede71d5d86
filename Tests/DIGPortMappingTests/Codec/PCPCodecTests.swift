@testable import DIGPortMapping
import DIGMultiformats
import NIOCore
import Testing

@Suite("PCP codec (RFC 6887)")
struct PCPCodecTests {
    static let nonce = PCPNonce(high: 0x0102_0304, low: 0x0506_0708_090a_0b0c)
    static let request = PCPMapRequest(
        client: .v4(IPv4Address(192, 168, 1, 2)), nonce: Self.nonce, transport: .tcp, internalPort: 4001, suggestedExternalPort: 4002,
        suggestedExternalAddress: nil, lifetimeSeconds: 3600)
    static let nonceBytes = "0102030405060708090a0b0c"
    static let mapped = ByteBuffer(
        hexadecimal: "02 81 00 00 00000e10 00000064 000000000000000000000000 \(Self.nonceBytes) 06 000000 0fa1 0fa3 00000000000000000000ffff0b000002")

    @Test("requests have the bytes of §7.1 and §11.1")
    func requests() {
        #expect(
            Self.request.encode().hexadecimal
                == "0201000000000e10" + "00000000000000000000ffffc0a80102" + Self.nonceBytes + "06000000" + "0fa10fa2" + "00000000000000000000ffff00000000")
        #expect(PCPAnnounceRequest(client: .v6(.loopback)).encode().hexadecimal == "0200000000000000" + "00000000000000000000000000000001")
    }

    @Test("a MAP response is read, with and without options after it")
    func response() throws {
        #expect(
            try Self.request.answer(in: Self.mapped)
                == .init(externalAddress: .v4(IPv4Address(11, 0, 0, 2)), externalPort: 4003, lifetimeSeconds: 3600, epoch: 100))
        var longer = Self.mapped
        longer.writeInteger(UInt32(0x0100_0000))
        #expect(try Self.request.answer(in: longer)?.externalPort == 4003)
    }

    @Test("no strict prefix is a response, and nothing of it is consumed")
    func prefixes() {
        for prefix in Self.mapped.strictPrefixes {
            var bytes = prefix
            #expect(throws: PCPDecodingError.self) { try bytes.readPCPResponse() }
            #expect(bytes.readableBytes == prefix.readableBytes)
        }
    }

    @Test("every field out of range is refused")
    func ranges() {
        for value in UInt8.min...UInt8.max where value != 2 {
            var bytes = Self.mapped.replacingByte(at: 0, with: value)
            #expect(throws: PCPDecodingError.unsupportedVersion(value)) { try bytes.readPCPResponse() }
        }
        for value in UInt8.min...UInt8.max where value < 0x80 {
            var bytes = Self.mapped.replacingByte(at: 1, with: value)
            #expect(throws: PCPDecodingError.notAResponse) { try bytes.readPCPResponse() }
        }
        for value in UInt8(0x82)...UInt8.max {
            var bytes = Self.mapped.replacingByte(at: 1, with: value)
            #expect(throws: PCPDecodingError.unexpectedOpcode(value & 0x7f)) { try bytes.readPCPResponse() }
        }
        for value in UInt8.min...UInt8.max where value != 6 && value != 17 {
            var bytes = Self.mapped.replacingByte(at: 36, with: value)
            #expect(throws: PCPDecodingError.unexpectedProtocol(value)) { try bytes.readPCPResponse() }
        }
        var large = Self.mapped
        large.writeRepeatingByte(0, count: 1100)
        #expect(throws: PCPDecodingError.invalidLength(1160)) { try large.readPCPResponse() }
        var odd = Self.mapped
        odd.writeRepeatingByte(0, count: 3)
        #expect(throws: PCPDecodingError.invalidLength(63)) { try odd.readPCPResponse() }
    }

    @Test("a wrong nonce, protocol or port is no answer, not even a refusal (§11.4)")
    func correlation() throws {
        for offset in 24..<36 { #expect(try Self.request.answer(in: Self.mapped.replacingByte(at: offset, with: 0xff)) == nil) }
        #expect(try Self.request.answer(in: Self.mapped.replacingByte(at: 36, with: 17)) == nil)
        #expect(try Self.request.answer(in: Self.mapped.replacingByte(at: 41, with: 0)) == nil)
        let refusal = Self.mapped.replacingByte(at: 3, with: 2)
        #expect(throws: GatewayAnswerError.refused(PortMappingError(.refused, ""))) { try Self.request.answer(in: refusal) }
        #expect(try Self.request.answer(in: refusal.replacingByte(at: 24, with: 0xff)) == nil)
    }

    @Test("a NAT-PMP gateway's answer means that there is no PCP (§9)")
    func natpmpGateway() {
        #expect(throws: GatewayAnswerError.refused(PortMappingError(.notSupported, ""))) {
            try PCPAnnounceRequest(client: .v4(.any)).answer(in: ByteBuffer(hexadecimal: "00 80 0001 00000005"))
        }
    }

    @Test(
        "each result has a meaning",
        arguments: [
            (1, .notSupported), (2, .refused), (3, .refused), (4, .notSupported), (7, .noExternalAddress), (8, .outOfResources), (9, .notSupported),
            (10, .outOfResources), (11, .conflict), (12, .refused), (13, .outOfResources), (14, .refused), (255, .refused),
        ] as [(UInt8, PortMappingError.Code)])
    func results(result: UInt8, code: PortMappingError.Code) {
        let whole = Self.mapped.replacingByte(at: 3, with: result)
        #expect(throws: GatewayAnswerError.refused(PortMappingError(code, ""))) { try Self.request.answer(in: whole) }
        let header = whole.getSlice(at: 0, length: 24) ?? ByteBuffer()
        #expect(throws: GatewayAnswerError.refused(PortMappingError(code, ""))) { try Self.request.answer(in: header) }
    }

    @Test("a server that does not know ANNOUNCE is a server all the same")
    func announce() throws {
        let request = PCPAnnounceRequest(client: .v4(.any))
        let unsupported = ByteBuffer(hexadecimal: "02 80 00 04 00000000 00000009 000000000000000000000000")
        #expect(try request.answer(in: unsupported) == .init(epoch: 9))
        #expect(try request.answer(in: unsupported.replacingByte(at: 3, with: 0)) == .init(epoch: 9))
        #expect(throws: GatewayAnswerError.refused(PortMappingError(.refused, ""))) { try request.answer(in: unsupported.replacingByte(at: 3, with: 2)) }
    }
}
