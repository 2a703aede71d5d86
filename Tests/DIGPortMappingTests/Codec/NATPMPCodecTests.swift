@testable import DIGPortMapping
import DIGMultiformats
import NIOCore
import Testing

@Suite("NAT-PMP codec (RFC 6886)")
struct NATPMPCodecTests {
    static let address = ByteBuffer(hexadecimal: "00 80 0000 00000e10 0b000002")
    static let mapped = ByteBuffer(hexadecimal: "00 82 0000 00000e10 0fa1 0fa2 00001c20")

    @Test("requests have the bytes of §3.2 and §3.3")
    func requests() {
        #expect(NATPMPExternalAddressRequest().encode().hexadecimal == "0000")
        let tcp = NATPMPMapRequest(transport: .tcp, internalPort: 4001, suggestedExternalPort: 4002, lifetimeSeconds: 7200)
        #expect(tcp.encode().hexadecimal == "000200000fa10fa200001c20")
        let udp = NATPMPMapRequest(transport: .udp, internalPort: 4001, suggestedExternalPort: 0, lifetimeSeconds: 0)
        #expect(udp.encode().hexadecimal == "000100000fa1000000000000")
    }

    @Test("responses are read")
    func responses() throws {
        var bytes = Self.address
        var response = try bytes.readNATPMPResponse()
        #expect(response == .externalAddress(IPv4Address(11, 0, 0, 2), epoch: 3600))
        #expect(bytes.readableBytes == 0)
        bytes = Self.mapped
        response = try bytes.readNATPMPResponse()
        #expect(response == .mapped(.tcp, internalPort: 4001, externalPort: 4002, lifetimeSeconds: 7200, epoch: 3600))
        bytes = ByteBuffer(hexadecimal: "00 81 0002 00000001")
        response = try bytes.readNATPMPResponse()
        #expect(response == .failure(opcode: 1, result: 2, epoch: 1))
    }

    @Test("no strict prefix is a response, and nothing of it is consumed", arguments: [Self.address, Self.mapped])
    func prefixes(whole: ByteBuffer) {
        for prefix in whole.strictPrefixes {
            var bytes = prefix
            #expect(throws: NATPMPDecodingError.self) { try bytes.readNATPMPResponse() }
            #expect(bytes.readableBytes == prefix.readableBytes)
        }
    }

    @Test("every version and opcode but ours is refused")
    func ranges() {
        for value in UInt8.min...UInt8.max {
            var version = Self.mapped.replacingByte(at: 0, with: value)
            if value == 0 { continue }
            #expect(throws: NATPMPDecodingError.unsupportedVersion(value)) { try version.readNATPMPResponse() }
        }
        for value in UInt8.min...UInt8.max where !(128...130).contains(value) {
            var opcode = Self.mapped.replacingByte(at: 1, with: value)
            #expect(throws: NATPMPDecodingError.unexpectedOpcode(value)) { try opcode.readNATPMPResponse() }
        }
    }

    @Test("only the answer to the request is one")
    func correlation() throws {
        let request = NATPMPMapRequest(transport: .tcp, internalPort: 4001, suggestedExternalPort: 4002, lifetimeSeconds: 7200)
        #expect(try request.answer(in: Self.mapped) == .init(externalPort: 4002, lifetimeSeconds: 7200, epoch: 3600))
        #expect(try request.answer(in: Self.address) == nil)
        #expect(try request.answer(in: Self.mapped.replacingByte(at: 1, with: 129)) == nil)
        #expect(try request.answer(in: Self.mapped.replacingByte(at: 9, with: 0)) == nil)
        // A grant of no port, or for no time.
        #expect(throws: GatewayAnswerError.self) { try request.answer(in: ByteBuffer(hexadecimal: "00 82 0000 00000e10 0fa1 0000 00001c20")) }
        #expect(throws: GatewayAnswerError.self) { try request.answer(in: ByteBuffer(hexadecimal: "00 82 0000 00000e10 0fa1 0fa2 00000000")) }
        var deletion = request
        deletion.lifetimeSeconds = 0
        #expect(try deletion.answer(in: ByteBuffer(hexadecimal: "00 82 0000 00000e10 0fa1 0000 00000000"))?.externalPort == 0)
    }

    @Test(
        "each result has a meaning",
        arguments: [
            (1, .notSupported), (2, .refused), (3, .noExternalAddress), (4, .outOfResources), (5, .notSupported), (6, .refused), (65535, .refused),
        ] as [(UInt16, PortMappingError.Code)])
    func results(result: UInt16, code: PortMappingError.Code) {
        var bytes = ByteBuffer(hexadecimal: "00 80")
        bytes.writeMultipleIntegers(result, UInt32(7))
        #expect(throws: GatewayAnswerError.refused(PortMappingError(code, ""))) { try NATPMPExternalAddressRequest().answer(in: bytes) }
    }
}
