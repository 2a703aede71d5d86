import DIGTestSupport
import NIOCore
import Testing

@testable import DIGSTUN

@Suite("STUN messages on the wire")
struct STUNMessageCodecTests {
    private func decode(_ bytes: [UInt8]) throws -> ReceivedSTUNMessage { try ReceivedSTUNMessage(decoding: ByteBuffer(bytes: bytes)) }

    @Test("every class and method has its own number, and is read back (RFC 8489 §5)")
    func types() throws {
        #expect(STUNMessage.typeField(.request, .binding) == 0x0001)
        #expect(STUNMessage.typeField(.indication, .binding) == 0x0011)
        #expect(STUNMessage.typeField(.successResponse, .binding) == 0x0101)
        #expect(STUNMessage.typeField(.errorResponse, .binding) == 0x0111)
        var seen = Set<UInt16>()
        for raw in UInt16(0)...0xfff {
            let method = try #require(STUNMethod(rawValue: raw))
            for messageClass in STUNMessageClass.allCases {
                let message = STUNMessage(messageClass, method, transactionID: .random())
                let field = STUNMessage.typeField(messageClass, method)
                #expect(field & 0xc000 == 0)
                seen.insert(field)
                guard raw % 61 == 0 || raw > 0xff0 else { continue }
                let received = try ReceivedSTUNMessage(decoding: message.encoded())
                #expect(received.message == message)
            }
        }
        #expect(seen.count == 0x4000)
        #expect(STUNMethod(rawValue: 0x1000) == nil)
    }

    @Test("every attribute is read back as it was written")
    func attributes() throws {
        func check<Value: STUNAttributeValue>(_ value: Value, _ expected: String? = nil) throws {
            var message = STUNMessage.bindingRequest()
            message.append(value)
            let received = try ReceivedSTUNMessage(decoding: message.encoded()).message
            #expect(try received.value(Value.self) == value)
            #expect(received.contains(Value.type))
            if let expected { #expect(received.attributes.first?.value == bytes(expected)) }
        }
        try check(STUNMappedAddress(address("192.0.2.1:32853")), "00 01 80 55 c0 00 02 01")
        try check(STUNMappedAddress(address("[2001:db8::1]:1")), "00 02 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01")
        try check(STUNXORMappedAddress(address("192.0.2.1:32853")), "00 01 a1 47 e1 12 a6 43")
        try check(STUNXORMappedAddress(address("[2001:db8::1]:65535")))
        try check(STUNAlternateServer(address("192.0.2.1:1")))
        try check(STUNResponseOrigin(address("192.0.2.1:1")))
        try check(STUNOtherAddress(address("[::1]:1")))
        try check(STUNUsername("a:b"), "61 3a 62")
        try check(STUNRealm("example.org"))
        try check(STUNNonce(""))
        try check(STUNSoftware("ä"), "c3 a4")
        try check(STUNAlternateDomain("example.org"))
        try check(STUNErrorCode.unknownAttribute, "00 00 04 14 55 6e 6b 6e 6f 77 6e 20 41 74 74 72 69 62 75 74 65")
        try check(try #require(STUNErrorCode(code: 300, reason: "")))
        try check(try #require(STUNErrorCode(code: 699, reason: "")))
        try check(STUNUnknownAttributes([.changeRequest, .padding, .padding]), "00 03 00 26 00 26")
        try check(STUNPasswordAlgorithm(number: 9, parameters: [1, 2, 3]), "00 09 00 03 01 02 03 00")
        try check(STUNPasswordAlgorithms([.sha256, STUNPasswordAlgorithm(number: 9, parameters: [1]), .md5]))
        try check(STUNUserHash(username: "user", realm: "realm"))
        try check(STUNChangeRequest(changesAddress: true, changesPort: true), "00 00 00 06")
        try check(STUNChangeRequest(changesAddress: true, changesPort: false), "00 00 00 04")
        try check(STUNChangeRequest(changesAddress: false, changesPort: true), "00 00 00 02")
        try check(try #require(STUNResponsePort(8080)), "1f 90 00 00")
        try check(STUNPadding(byteCount: 1499))
        #expect(STUNPadding(byteCount: 1499).byteCount == 1500)
        #expect(STUNPadding(byteCount: -1).byteCount == 0)
        #expect(STUNPadding(byteCount: .max).byteCount == 0xfffc)
    }

    @Test("values that are out of range are refused")
    func outOfRange() {
        func refuse<Value: STUNAttributeValue>(_ kind: Value.Type, _ hexadecimal: [UInt8], _ line: Int = #line) {
            #expect(throws: STUNDecodingError.invalidAttribute(Value.type), "line \(line)") {
                try Value(decoding: hexadecimal, transactionID: .random())
            }
        }
        for value in ["", "00", "00 01 00", "00 01 00 01", "00 01 00 01 01 02 03", "00 01 00 01 01 02 03 04 05", "00 02 00 01 01 02 03 04", "00 03 00 01 01 02 03 04", "00 00 00 01 01 02 03 04"] {
            refuse(STUNMappedAddress.self, bytes(value))
            refuse(STUNXORMappedAddress.self, bytes(value))
            refuse(STUNOtherAddress.self, bytes(value))
            refuse(STUNResponseOrigin.self, bytes(value))
            refuse(STUNAlternateServer.self, bytes(value))
        }
        refuse(STUNMappedAddress.self, [0, 2, 0, 1] + [UInt8](repeating: 0, count: 17))
        refuse(STUNXORMappedAddress.self, [0, 2, 0, 1] + [UInt8](repeating: 0, count: 17))
        refuse(STUNUsername.self, [UInt8](repeating: 0x61, count: 509))
        refuse(STUNUsername.self, [0xff])
        refuse(STUNRealm.self, [UInt8](repeating: 0x61, count: 764))
        refuse(STUNNonce.self, [0xc3])
        refuse(STUNSoftware.self, [UInt8](repeating: 0x61, count: 764))
        refuse(STUNAlternateDomain.self, [UInt8](repeating: 0x61, count: 256))
        for value in ["", "00 00 04", "00 00 02 00", "00 00 07 00", "00 00 00 00", "00 00 04 64", "00 00 04 ff", "00 00 04 00 ff"] {
            refuse(STUNErrorCode.self, bytes(value))
        }
        refuse(STUNErrorCode.self, [0, 0, 4, 0] + [UInt8](repeating: 0x61, count: 764))
        refuse(STUNUnknownAttributes.self, [0])
        for value in ["", "00 01 00", "00 01 00 01", "00 01 ff ff", "00 01 00 00 00 01 00 00"] { refuse(STUNPasswordAlgorithm.self, bytes(value)) }
        for value in ["00 01 00", "00 01 00 00 00", "00 01 00 09 00 00"] { refuse(STUNPasswordAlgorithms.self, bytes(value)) }
        refuse(STUNPasswordAlgorithms.self, [UInt8](repeating: 0, count: 17 * 4))
        refuse(STUNUserHash.self, [UInt8](repeating: 0, count: 31))
        refuse(STUNUserHash.self, [UInt8](repeating: 0, count: 33))
        for value in ["", "00 00 00", "00 00 00 00 00"] { refuse(STUNChangeRequest.self, bytes(value)) }
        for value in ["", "01", "00 00", "00 00 00 00", "01 01 00", "01 01 00 00 00"] { refuse(STUNResponsePort.self, bytes(value)) }
        #expect(STUNErrorCode(code: 299, reason: "") == nil)
        #expect(STUNErrorCode(code: 700, reason: "") == nil)
        #expect(STUNResponsePort(0) == nil)
    }

    @Test("a long text is cut at a character")
    func cutting() {
        #expect(STUNUsername(String(repeating: "é", count: 300)).encoded(transactionID: .random()).count == 508)
        #expect(STUNAlternateDomain(String(repeating: "é", count: 200)).encoded(transactionID: .random()).count == 254)
    }

    @Test("strict prefixes are refused", arguments: RFC5769Tests.all)
    func prefixes(vector: [UInt8]) {
        for count in 0..<vector.count {
            #expect(throws: STUNDecodingError.truncated) { try self.decode(Array(vector[..<count])) }
        }
        #expect(throws: STUNDecodingError.invalidLength) { try self.decode(vector + [0]) }
    }

    @Test("headers that are out of range are refused")
    func header() {
        var good = RFC5769Tests.ip4Response
        #expect(throws: Never.self) { try self.decode(good) }
        for first in [0x41, 0x81, 0xc1] as [UInt8] {
            good[0] = first
            #expect(throws: STUNDecodingError.notSTUN) { try self.decode(good) }
        }
        for index in 4..<8 {
            var damaged = RFC5769Tests.ip4Response
            damaged[index] ^= 1
            #expect(throws: STUNDecodingError.notSTUN) { try self.decode(damaged) }
        }
        for length in [1, 2, 3, 0x3b, 0x3d] as [UInt8] {
            var damaged = RFC5769Tests.ip4Response
            damaged[3] = length
            #expect(throws: STUNDecodingError.invalidLength) { try self.decode(damaged) }
        }
        #expect(throws: STUNDecodingError.limitExceeded) {
            try ReceivedSTUNMessage(decoding: ByteBuffer(bytes: RFC5769Tests.ip4Response), maximumByteCount: 79)
        }
    }

    @Test("an attribute that reaches past the end, too many of them, or one after the fingerprint are refused")
    func layout() throws {
        let header = bytes("00 01 00 08 21 12 a4 42 00 00 00 00 00 00 00 00 00 00 00 00")
        #expect(throws: STUNDecodingError.truncated) { try self.decode(header + bytes("80 22 00 05 00 00 00 00")) }
        #expect(throws: STUNDecodingError.truncated) { try self.decode(header + bytes("80 22 ff ff 00 00 00 00")) }
        #expect(throws: STUNDecodingError.invalidAttribute(.fingerprint)) { try self.decode(header + bytes("80 28 00 00 80 22 00 00")) }
        #expect(throws: STUNDecodingError.invalidAttribute(.messageIntegrity)) { try self.decode(header + bytes("00 08 00 04 00 00 00 00")) }
        #expect(throws: STUNDecodingError.invalidAttribute(.messageIntegritySHA256)) { try self.decode(header + bytes("00 1c 00 04 00 00 00 00")) }
        var message = STUNMessage.bindingRequest()
        for _ in 0..<63 { message.append(STUNPadding(byteCount: 0)) }
        #expect(try ReceivedSTUNMessage(decoding: message.encoded()).message.attributes.count == 63)
        message.append(STUNPadding(byteCount: 0))
        #expect(throws: STUNDecodingError.limitExceeded) { try ReceivedSTUNMessage(decoding: message.encoded()) }
        var late = Array(STUNMessage.bindingRequest().encoded().readableBytesView) + bytes("80 22 00 00")
        late[3] += 4
        #expect(throws: STUNDecodingError.fingerprintNotLast) { try self.decode(late) }
    }

    @Test("what follows an integrity attribute is not believed, and only the first of a kind counts")
    func unprotected() throws {
        var message = STUNMessage.bindingRequest()
        message.append(STUNSoftware("first"))
        message.append(STUNSoftware("second"))
        let key = STUNIntegrityKey.shortTerm(password: "secret")
        let encoded = Array(message.encoded(integrity: [(.sha1, key), (.sha256, key)], hasFingerprint: false).readableBytesView)
        var longer = encoded + bytes("00 20 00 08 00 01 a1 47 e1 12 a6 43")
        longer[3] += 12
        let received = try self.decode(longer)
        #expect(received.message == message)
        #expect(try received.message.value(STUNSoftware.self)?.name == "first")
        #expect(received.integrity == [.sha1, .sha256])
        #expect(received.isProtected(by: .sha1, key: key))
        #expect(received.isProtected(by: .sha256, key: key))
        #expect(!received.isProtected(by: .sha256, key: .shortTerm(password: "")))
    }

    @Test("more than fits is left out")
    func overflow() throws {
        var message = STUNMessage.bindingRequest()
        for _ in 0..<3 { message.append(STUNPadding(byteCount: 40_000)) }
        message.append(STUNSoftware("last"))
        let encoded = message.encoded(integrity: [(.sha256, .shortTerm(password: "secret"))])
        #expect(encoded.readableBytes < 65_536)
        let received = try ReceivedSTUNMessage(decoding: encoded)
        #expect(received.message.attributes.map(\.type) == [.padding, .software])
        #expect(received.hasValidFingerprint == true)
    }

    @Test("damaged messages neither trap nor pass for what they were")
    func randomDamage() {
        var generator = SeededGenerator(seed: 5389)
        var survivors = 0
        for round in 0..<20_000 {
            let vector = RFC5769Tests.all[round % RFC5769Tests.all.count]
            let damaged = generator.mutated(vector)
            guard damaged != vector, let received = try? self.decode(damaged) else { continue }
            survivors += 1
            _ = received.isProtected(by: .sha1, key: .shortTerm(password: "VOkJxbRl1RmTxUk/WvJxBt"))
            _ = received.isProtected(by: .sha256, key: .shortTerm(password: "x"))
            _ = received.hasValidFingerprint
            self.readEverything(received.message)
            _ = received.message.encoded()
        }
        #expect(survivors > 0)
    }

    @Test("random attribute values do not trap")
    func randomValues() {
        var generator = SeededGenerator(seed: 8489)
        for _ in 0..<4000 {
            let count = Int.random(in: 0...40, using: &generator)
            let value = (0..<count).map { _ in UInt8.random(in: .min ... (Bool.random(using: &generator) ? 7 : .max), using: &generator) }
            var message = STUNMessage(.successResponse, .binding, transactionID: .random(using: &generator))
            for type in [1, 3, 6, 9, 10, 0x14, 0x15, 0x1d, 0x1e, 0x20, 0x26, 0x27, 0x8002, 0x8003, 0x8022, 0x8023, 0x802b, 0x802c] as [UInt16] {
                message.attributes.append(STUNAttribute(type: STUNAttributeType(rawValue: type), value: value))
            }
            self.readEverything(message)
        }
    }

    private func readEverything(_ message: STUNMessage) {
        _ = try? message.value(STUNMappedAddress.self)
        _ = try? message.value(STUNXORMappedAddress.self)
        _ = try? message.value(STUNAlternateServer.self)
        _ = try? message.value(STUNResponseOrigin.self)
        _ = try? message.value(STUNOtherAddress.self)
        _ = try? message.value(STUNUsername.self)
        _ = try? message.value(STUNRealm.self)
        _ = try? message.value(STUNNonce.self)
        _ = try? message.value(STUNSoftware.self)
        _ = try? message.value(STUNAlternateDomain.self)
        _ = try? message.value(STUNErrorCode.self)
        _ = try? message.value(STUNUnknownAttributes.self)
        _ = try? message.value(STUNPasswordAlgorithm.self)
        _ = try? message.value(STUNPasswordAlgorithms.self)
        _ = try? message.value(STUNUserHash.self)
        _ = try? message.value(STUNChangeRequest.self)
        _ = try? message.value(STUNResponsePort.self)
        _ = try? message.value(STUNPadding.self)
    }
}
