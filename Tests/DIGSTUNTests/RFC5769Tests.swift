import NIOCore
import Testing

@testable import DIGSTUN

/// The vectors of RFC 5769 §2 and of RFC 8489 appendix B.1 with erratum 6268.
@Suite("STUN test vectors")
struct RFC5769Tests {
    static let request = bytes(
        """
        00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
        80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74
        00 24 00 04 6e 00 01 ff 80 29 00 08 93 2f f9 b1 51 26 3b 36
        00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
        00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2
        80 28 00 04 e5 7a 3b cf
        """)
    static let ip4Response = bytes(
        """
        01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
        80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
        00 20 00 08 00 01 a1 47 e1 12 a6 43
        00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
        80 28 00 04 c0 7d 4c 96
        """)
    static let ip6Response = bytes(
        """
        01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
        80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
        00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
        00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41
        80 28 00 04 c8 fb 0b 4c
        """)
    static let longTermRequest = bytes(
        """
        00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e
        00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83 e3 82 af e3 82 b9 00 00
        00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41
        00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00
        00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66
        """)
    static let sha256Request = bytes(
        """
        00 01 00 90 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e
        00 1e 00 20 4a 3c f3 8f ef 69 92 bd a9 52 c6 78 04 17 da 0f 24 81 94 15 56 9e 60 b2 05 c4 6e 41 40 7f 17 04
        00 15 00 29 6f 62 4d 61 74 4a 6f 73 32 41 41 41 43 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76
                    79 36 34 73 41 00 00 00
        00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00
        00 1d 00 04 00 02 00 00
        00 1c 00 20 b5 c7 bf 00 5b 6c 52 a2 1c 51 c5 e8 92 f8 19 24 13 62 96 cb 92 7c 43 14 93 09 27 8c c6 51 8e 65
        """)

    static let all = [request, ip4Response, ip6Response, longTermRequest, sha256Request]

    private let shortTermKey = STUNIntegrityKey.shortTerm(password: "VOkJxbRl1RmTxUk/WvJxBt")
    private let username = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}"
    private let password = "TheMatrIX"

    @Test("2.1: request with fingerprint and short-term integrity")
    func sampleRequest() throws {
        let received = try ReceivedSTUNMessage(decoding: ByteBuffer(bytes: Self.request))
        let message = received.message
        #expect(message.messageClass == .request)
        #expect(message.method == .binding)
        #expect(message.transactionID == STUNTransactionID(high: 0xb7e7_a701, low: 0xbc34_d686_fa87_dfae))
        #expect(try message.value(STUNSoftware.self)?.name == "STUN test client")
        #expect(try message.value(STUNUsername.self)?.name == "evtj:h6vY")
        #expect(message.attributes.map(\.type.rawValue) == [0x8022, 0x0024, 0x8029, 0x0006])
        #expect(received.hasValidFingerprint == true)
        #expect(received.isProtected(by: .sha1, key: self.shortTermKey))
        #expect(!received.isProtected(by: .sha1, key: .shortTerm(password: "VOkJxbRl1RmTxUk/WvJxBT")))
        #expect(!received.isProtected(by: .sha256, key: self.shortTermKey))
        #expect(message.encoded(integrity: [(.sha1, self.shortTermKey)], paddingByte: 0x20) == ByteBuffer(bytes: Self.request))
    }

    @Test("2.2: response over IPv4")
    func sampleIP4Response() throws {
        let received = try ReceivedSTUNMessage(decoding: ByteBuffer(bytes: Self.ip4Response))
        #expect(received.message.messageClass == .successResponse)
        #expect(try received.message.value(STUNXORMappedAddress.self)?.address == address("192.0.2.1:32853"))
        #expect(received.hasValidFingerprint == true)
        #expect(received.isProtected(by: .sha1, key: self.shortTermKey))
        #expect(received.message.encoded(integrity: [(.sha1, self.shortTermKey)], paddingByte: 0x20) == ByteBuffer(bytes: Self.ip4Response))
    }

    @Test("2.3: response over IPv6")
    func sampleIP6Response() throws {
        let received = try ReceivedSTUNMessage(decoding: ByteBuffer(bytes: Self.ip6Response))
        #expect(try received.message.value(STUNXORMappedAddress.self)?.address == address("[2001:db8:1234:5678:11:2233:4455:6677]:32853"))
        #expect(received.hasValidFingerprint == true)
        #expect(received.isProtected(by: .sha1, key: self.shortTermKey))
        #expect(received.message.encoded(integrity: [(.sha1, self.shortTermKey)], paddingByte: 0x20) == ByteBuffer(bytes: Self.ip6Response))
    }

    @Test("2.4: request with long-term authentication")
    func sampleLongTermRequest() throws {
        let key = try #require(STUNIntegrityKey.longTerm(username: self.username, realm: "example.org", password: self.password))
        var request = STUNMessage(.request, .binding, transactionID: STUNTransactionID(high: 0x78ad_3433, low: 0xc6ad_72c0_29da_412e))
        request.append(STUNUsername(self.username))
        request.append(STUNNonce("f//499k954d6OL34oL9FSTvy64sA"))
        request.append(STUNRealm("example.org"))
        #expect(request.encoded(integrity: [(.sha1, key)], hasFingerprint: false) == ByteBuffer(bytes: Self.longTermRequest))
        let received = try ReceivedSTUNMessage(decoding: ByteBuffer(bytes: Self.longTermRequest))
        #expect(received.message == request)
        #expect(received.hasValidFingerprint == nil)
        #expect(received.isProtected(by: .sha1, key: key))
    }

    @Test("RFC 8489 B.1: SHA-256, hashed name, chosen algorithm")
    func sampleSHA256Request() throws {
        let key = try #require(
            STUNIntegrityKey.longTerm(username: self.username, realm: "example.org", password: self.password, algorithm: .sha256))
        var request = STUNMessage(.request, .binding, transactionID: STUNTransactionID(high: 0x78ad_3433, low: 0xc6ad_72c0_29da_412e))
        request.append(STUNUserHash(username: self.username, realm: "example.org"))
        request.append(STUNNonce("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"))
        request.append(STUNRealm("example.org"))
        request.append(STUNPasswordAlgorithm.sha256)
        #expect(request.encoded(integrity: [(.sha256, key)], hasFingerprint: false) == ByteBuffer(bytes: Self.sha256Request))
        let received = try ReceivedSTUNMessage(decoding: ByteBuffer(bytes: Self.sha256Request))
        #expect(received.message == request)
        #expect(received.integrity == [.sha256])
        #expect(received.isProtected(by: .sha256, key: key))
    }

    @Test("a changed bit anywhere before them is noticed by integrity and fingerprint")
    func damage() throws {
        for index in 20..<(Self.ip4Response.count - 36) * 8 where index / 8 >= 20 {
            var damaged = Self.ip4Response
            damaged[index / 8] ^= 1 << UInt8(index % 8)
            guard let received = try? ReceivedSTUNMessage(decoding: ByteBuffer(bytes: damaged)) else { continue }
            #expect(received.hasValidFingerprint != true, "bit \(index)")
            #expect(!received.isProtected(by: .sha1, key: self.shortTermKey), "bit \(index)")
        }
    }
}
