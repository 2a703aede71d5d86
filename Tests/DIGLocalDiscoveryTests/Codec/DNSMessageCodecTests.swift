@testable import DIGLocalDiscovery
import DIGMultiformats
import DIGTestSupport
import NIOCore
import Testing

@Suite("DNS message")
struct DNSMessageCodecTests {
    static let service = DNSName(["_p2p", "_udp", "local"])
    static let instance = service.child("abc")

    static let response = DNSMessage(
        isResponse: true,
        answers: [DNSRecord(name: service, value: .pointer(instance), lifetimeSeconds: 120)],
        additionals: [
            DNSRecord(name: instance, value: .text([Array("dnsaddr=/ip4/10.0.0.1".utf8), []]), lifetimeSeconds: 120, flushesCache: true),
            DNSRecord(name: instance, value: .service(port: 4001, target: DNSName(["abc", "p2p", "local"])), lifetimeSeconds: 120, flushesCache: true),
            DNSRecord(name: DNSName(["abc", "p2p", "local"]), value: .a(IPv4Address(10, 0, 0, 1)), lifetimeSeconds: 120, flushesCache: true),
            DNSRecord(name: DNSName(["abc", "p2p", "local"]), value: .aaaa(.loopback), lifetimeSeconds: .max),
        ])

    /// Written out by hand from RFC 1035 §4 and RFC 6762 §18.
    static let encodedResponse = bytes(
        """
        0000 8400 0000 0001 0000 0004
        04 5f703270 04 5f756470 05 6c6f63616c 00  000c 0001 00000078 0006  03 616263 c00c
        c027  0010 8001 00000078 0017  15 646e73616464723d2f6970342f31302e302e302e31 00
        c027  0021 8001 00000078 0010  0000 0000 0fa1  03 616263 03 703270 c016
        c062  0001 8001 00000078 0004  0a000001
        c062  001c 0001 ffffffff 0010  00000000000000000000000000000001
        """)

    static func encode(_ message: DNSMessage) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeDNSMessage(message)
        return Array(buffer.readableBytesView)
    }

    static func decode(_ bytes: some Sequence<UInt8>) throws(DNSDecodingError) -> DNSMessage {
        try ByteBuffer(bytes: Array(bytes)).decodeDNSMessage()
    }

    /// A message with one question whose name is `name`, or one record.
    static func question(_ name: String) -> [UInt8] { bytes("0000 0000 0001 0000 0000 0000 \(name) 000c 0001") }
    static func record(_ type: String, _ length: String, _ value: String) -> [UInt8] {
        bytes("0000 8400 0000 0001 0000 0000 00 \(type) 0001 00000078 \(length) \(value)")
    }

    @Test("writes and reads a query")
    func query() throws {
        let message = DNSMessage(
            isResponse: false, questions: [DNSQuestion(name: Self.service, type: .pointer)],
            answers: [DNSRecord(name: Self.service, value: .pointer(Self.instance), lifetimeSeconds: 60)])
        let encoded = bytes(
            """
            0000 0000 0001 0001 0000 0000
            04 5f703270 04 5f756470 05 6c6f63616c 00  000c 0001
            c00c 000c 0001 0000003c 0006 03 616263 c00c
            """)
        #expect(Self.encode(message) == encoded)
        #expect(try Self.decode(encoded) == message)
    }

    @Test("writes and reads a response")
    func response() throws {
        #expect(Self.encode(Self.response) == Self.encodedResponse)
        #expect(try Self.decode(Self.encodedResponse) == Self.response)
    }

    @Test("ignores what follows the last record")
    func trailing() throws {
        #expect(try Self.decode(Self.encodedResponse + [1, 2, 3]) == Self.response)
    }

    @Test("refuses every strict prefix")
    func prefixes() {
        for count in 0..<Self.encodedResponse.count {
            #expect(throws: DNSDecodingError.self, "\(count) bytes") { try Self.decode(Self.encodedResponse.prefix(count)) }
        }
    }

    @Test("reads damaged and random bytes without a trap, and in bounded time")
    func damaged() {
        var generator = SeededGenerator(seed: 5)
        for index in Self.encodedResponse.indices {
            for bit in 0..<8 {
                var damaged = Self.encodedResponse
                damaged[index] ^= 1 << UInt8(bit)
                do throws(DNSDecodingError) { _ = Self.encode(try Self.decode(damaged)) } catch {}
            }
        }
        for _ in 0..<2000 {
            let random = (0..<Int.random(in: 0...200, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            do throws(DNSDecodingError) { _ = Self.encode(try Self.decode(bytes("0000 8400 0001 0002 0000 0001") + random)) } catch {}
        }
        // Many pointers to one long name: the worst that a datagram can ask for.
        let label = bytes("3f") + [UInt8](repeating: 0x61, count: 63)
        let name = label + label + label + bytes("3d") + [UInt8](repeating: 0x61, count: 61) + [0]
        let header = bytes("0000 8400 0001 00ff 0000 0000")
        let records = (0..<255).flatMap { _ in bytes("c00c 000c 0001 00000078 0002 c00c") }
        #expect(throws: Never.self) { try Self.decode(header + name + bytes("000c 0001") + records) }
    }

    @Test(
        "refuses hostile names",
        arguments: [
            ("c00c", DNSDecodingError.invalidName),  // points at itself
            ("c00e", .invalidName),  // forwards
            ("01 61 c00c", .invalidName),  // an endless row of labels
            ("c0ff", .invalidName),  // behind the end
            ("40", .invalidName), ("80", .invalidName), ("bf", .invalidName),  // forms that are not assigned
            ("3f 61", .truncated), ("c0", .truncated), ("01", .truncated), ("", .truncated),
        ])
    func hostileNames(name: String, error: DNSDecodingError) {
        #expect(throws: error) { try Self.decode(bytes("0000 0000 0001 0000 0000 0000 \(name)")) }
    }

    @Test("refuses pointers that go round between two names")
    func pointerLoop() {
        // The first name ends in a pointer to the second, which has not been read yet; the second points to the first.
        #expect(throws: DNSDecodingError.invalidName) {
            try Self.decode(bytes("0000 0000 0002 0000 0000 0000  01 61 c012  000c 0001  01 62 c00c  000c 0001"))
        }
        // Backwards, into the middle of itself: 12 → 'a', 14 → 'b', pointer to 14.
        #expect(throws: DNSDecodingError.invalidName) {
            try Self.decode(bytes("0000 0000 0001 0000 0000 0000  01 61 01 62 c00e  000c 0001"))
        }
    }

    @Test("follows few pointers only")
    func pointerChain() throws {
        // A root name in the value of a record, then pointers each to the one before.
        func chain(_ count: Int) -> [UInt8] {
            var value: [UInt8] = [0]
            var target: UInt8 = 23
            for index in 0..<count {
                value += [0xc0, target]
                target = 24 + 2 * UInt8(index)
            }
            let length = UInt8(value.count)
            return bytes("0000 8400 0000 0002 0000 0000 00 002f 0001 00000078 00") + [length] + value + [0xc0, target]
                + bytes("002f 0001 00000078 0000")
        }
        #expect(try Self.decode(chain(15)).answers.map(\.name) == [DNSName([]), DNSName([])])
        #expect(throws: DNSDecodingError.invalidName) { try Self.decode(chain(16)) }
    }

    @Test("holds names to 255 bytes, pointers or not")
    func longNames() throws {
        let label = "3f" + String(repeating: "61", count: 63)
        let longest = label + label + label + "3d" + String(repeating: "61", count: 61) + "00"
        #expect(try Self.decode(Self.question(longest)).questions[0].name.labels.count == 4)
        let longer = label + label + label + "3e" + String(repeating: "61", count: 62) + "00"
        #expect(throws: DNSDecodingError.invalidName) { try Self.decode(Self.question(longer)) }
        // One more label in front of a pointer to the longest.
        #expect(throws: DNSDecodingError.invalidName) {
            try Self.decode(bytes("0000 0000 0002 0000 0000 0000 \(longest) 000c 0001 01 61 c00c 000c 0001"))
        }
    }

    @Test(
        "refuses values that do not fill their length",
        arguments: [
            ("0001", "0003", "010203"), ("0001", "0005", "0102030405"), ("001c", "000f", String(repeating: "00", count: 15)),
            ("001c", "0011", String(repeating: "00", count: 17)), ("000c", "0002", "0000"), ("000c", "0000", "00"),
            ("0010", "0002", "0261"), ("0010", "0001", "01"), ("0021", "0006", "000000000fa1 00"), ("0021", "0008", "000000000fa1 0000"),
        ])
    func values(type: String, length: String, value: String) {
        #expect(throws: DNSDecodingError.invalidValue) { try Self.decode(Self.record(type, length, value)) }
    }

    @Test("skips records of other classes and kinds")
    func others() throws {
        #expect(try Self.decode(Self.record("002f", "0002", "0102")).answers.map(\.type.rawValue) == [47])
        #expect(try Self.decode(bytes("0000 8400 0000 0001 0000 0000 00 0001 0003 00000078 0001 ff")).answers.isEmpty)
        #expect(try Self.decode(bytes("0000 0000 0001 0000 0000 0000 00 000c 0003")).questions.isEmpty)
        #expect(throws: DNSDecodingError.truncated) { try Self.decode(Self.record("002f", "0003", "0102")) }
        // Authority records are read past.
        let message = try Self.decode(bytes("0000 0000 0000 0000 0001 0001 00 0001 0001 00000078 0004 0a000001 00 0001 0001 00000078 0004 0a000002"))
        #expect(message.answers.isEmpty)
        #expect(message.additionals.map(\.value) == [.a(IPv4Address(10, 0, 0, 2))])
    }

    @Test("keeps to its limits and to queries")
    func limits() {
        #expect(throws: DNSDecodingError.limitExceeded) { try Self.decode(bytes("0000 0000 0041 0000 0000 0000")) }
        #expect(throws: DNSDecodingError.limitExceeded) { try Self.decode(bytes("0000 8400 0000 0080 0080 0001")) }
        #expect(throws: DNSDecodingError.limitExceeded) { try Self.decode(bytes("0000 8400 0000 ffff ffff ffff")) }
        #expect(throws: DNSDecodingError.limitExceeded) { try Self.decode([UInt8](repeating: 0, count: 9001)) }
        #expect(throws: DNSDecodingError.notAQuery) { try Self.decode(bytes("0000 8403 0000 0000 0000 0000")) }
        #expect(throws: DNSDecodingError.notAQuery) { try Self.decode(bytes("0000 2800 0000 0000 0000 0000")) }
    }

    @Test("names compare without case")
    func nameCase() throws {
        #expect(try Self.decode(Self.question("04 5f503250 04 5f554450 05 4c4f43414c 00")).questions[0].name == Self.service)
        #expect(Self.service.child("ABC") == Self.instance)
    }

    @Test("reads the mark of the cache and the wish for unicast")
    func topBits() throws {
        let message = DNSMessage(
            identifier: 7, isResponse: false, isTruncated: true, questions: [DNSQuestion(name: Self.service, type: .any, prefersUnicast: true)])
        #expect(try Self.decode(Self.encode(message)) == message)
    }
}
