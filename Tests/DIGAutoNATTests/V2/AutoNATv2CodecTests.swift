import DIGMultiformats
import NIOCore
import Testing

@testable import DIGAutoNAT

@Suite("AutoNAT v2 messages")
struct AutoNATv2CodecTests {
    /// `/ip4/203.0.113.5/tcp/4001`.
    static let address: [UInt8] = [0x04, 203, 0, 113, 5, 0x06, 0x0f, 0xa1]
    static let multiaddr = Multiaddr(components: [.ip4(.init(203, 0, 113, 5)), .tcp(4001)])

    /// The bytes that the protobuf of the specification gives.
    static let vectors: [(AutoNATv2Message, [UInt8])] = [
        (
            .dialRequest(AutoNATv2DialRequest(addresses: [multiaddr], nonce: 0x0102_0304_0506_0708)),
            [0x0a, 0x13, 0x0a, 0x08] + address + [0x11, 8, 7, 6, 5, 4, 3, 2, 1]
        ),
        (.dialResponse(AutoNATv2DialResponse(.internalError)), [0x12, 0x00]),
        (.dialResponse(AutoNATv2DialResponse(.requestRejected)), [0x12, 0x02, 0x08, 0x64]),
        (.dialResponse(AutoNATv2DialResponse(.dialRefused)), [0x12, 0x02, 0x08, 0x65]),
        (
            .dialResponse(AutoNATv2DialResponse(.ok, index: 1, dialStatus: .ok)),
            [0x12, 0x08, 0x08, 0xc8, 0x01, 0x10, 0x01, 0x18, 0xc8, 0x01]
        ),
        (.dialResponse(AutoNATv2DialResponse(.ok, dialStatus: .dialError)), [0x12, 0x05, 0x08, 0xc8, 0x01, 0x18, 0x64]),
        (.dialResponse(AutoNATv2DialResponse(.ok, dialStatus: .dialBackError)), [0x12, 0x05, 0x08, 0xc8, 0x01, 0x18, 0x65]),
        (.dialDataRequest(index: 1, byteCount: 30_000), [0x1a, 0x06, 0x08, 0x01, 0x10, 0xb0, 0xea, 0x01]),
        (.dialData(byteCount: 3), [0x22, 0x05, 0x0a, 0x03, 0, 0, 0]),
    ]

    @Test("has the bytes of the specification, both ways", arguments: vectors.indices)
    func pinned(_ index: Int) throws {
        let (message, bytes) = Self.vectors[index]
        #expect(AutoNATv2Codec.encode(message) == ByteBuffer(bytes: bytes))
        #expect(try AutoNATv2Codec.decode(ByteBuffer(bytes: bytes)) == message)
    }

    @Test("No strict prefix of a message is taken for the whole", arguments: vectors.indices)
    func prefixes(_ index: Int) {
        let (message, bytes) = Self.vectors[index]
        for count in bytes.indices {
            do throws(AutoNATDecodingError) {
                #expect(try AutoNATv2Codec.decode(ByteBuffer(bytes: bytes.prefix(count))) != message)
            } catch {
                #expect([.malformed, .missingField].contains(error))
            }
        }
    }

    @Test("The dial-back and its answer have the bytes of the specification")
    func dialBack() throws {
        let bytes: [UInt8] = [0x09, 8, 7, 6, 5, 4, 3, 2, 1]
        #expect(AutoNATv2Codec.encodeDialBack(nonce: 0x0102_0304_0506_0708) == ByteBuffer(bytes: bytes))
        #expect(try AutoNATv2Codec.decodeDialBack(ByteBuffer(bytes: bytes)) == 0x0102_0304_0506_0708)
        for count in 1..<bytes.count {
            #expect(throws: AutoNATDecodingError.malformed) { try AutoNATv2Codec.decodeDialBack(ByteBuffer(bytes: bytes.prefix(count))) }
        }
        #expect(throws: AutoNATDecodingError.missingField) { try AutoNATv2Codec.decodeDialBack(ByteBuffer()) }
        #expect(AutoNATv2Codec.encodeDialBackResponse() == ByteBuffer())
        try AutoNATv2Codec.decodeDialBackResponse(ByteBuffer())
        #expect(throws: AutoNATDecodingError.valueOutOfRange) { try AutoNATv2Codec.decodeDialBackResponse(ByteBuffer(bytes: [0x08, 0x01])) }
        #expect(throws: AutoNATDecodingError.malformed) { try AutoNATv2Codec.decodeDialBackResponse(ByteBuffer(bytes: [0x08])) }
    }

    @Test(
        "A number out of its range, and a message without content, are refused",
        arguments: [
            ([], .missingField),
            ([0x12, 0x02, 0x08, 0x01], .valueOutOfRange),  // status 1
            ([0x12, 0x05, 0x08, 0xc8, 0x01, 0x18, 0x01], .valueOutOfRange),  // dial status 1
            ([0x12, 0x05, 0x08, 0xc8, 0x01, 0x10, 50], .valueOutOfRange),  // address 50
            ([0x12, 0x0b, 0x08, 0xc8, 0x01, 0x10, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x18, 0x64], .valueOutOfRange),
            ([0x1a, 0x02, 0x08, 50], .valueOutOfRange),
            ([0x1a, 0x0b, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], .valueOutOfRange),  // 2^64 - 1 bytes
            ([0x0b], .malformed), ([0x12, 0x01], .malformed), ([0xff, 0xff], .malformed),
        ] as [([UInt8], AutoNATDecodingError)])
    func refused(_ bytes: [UInt8], _ error: AutoNATDecodingError) {
        #expect(throws: error) { try AutoNATv2Codec.decode(ByteBuffer(bytes: bytes)) }
    }

    @Test("4096 bytes of data are taken, 4097 are not")
    func dataByteCount() throws {
        func message(_ count: Int) -> ByteBuffer {
            var inner = ByteBuffer(bytes: [0x0a])
            inner.writeUnsignedVarint(UInt64(count))
            inner.writeRepeatingByte(7, count: count)
            var bytes = ByteBuffer(bytes: [0x22])
            bytes.writeUnsignedVarint(UInt64(inner.readableBytes))
            bytes.writeBuffer(&inner)
            return bytes
        }
        #expect(try AutoNATv2Codec.decode(message(4096)) == .dialData(byteCount: 4096))
        #expect(throws: AutoNATDecodingError.valueOutOfRange) { try AutoNATv2Codec.decode(message(4097)) }
    }

    /// A request with `addresses`, as many as they are.
    static func request(_ addresses: [[UInt8]]) -> ByteBuffer {
        var inner = ByteBuffer()
        for address in addresses { inner.writeBytes([0x0a, UInt8(address.count)] + address) }
        inner.writeBytes([0x11, 1, 0, 0, 0, 0, 0, 0, 0])
        var bytes = ByteBuffer(bytes: [0x0a])
        bytes.writeUnsignedVarint(UInt64(inner.readableBytes))
        bytes.writeBuffer(&inner)
        return bytes
    }

    @Test("50 addresses are read, 51 are not; one that nobody knows keeps its place")
    func addressCount() throws {
        guard case .dialRequest(let request) = try AutoNATv2Codec.decode(Self.request(Array(repeating: Self.address, count: 50))) else {
            throw AutoNATDecodingError.malformed
        }
        #expect(request.addresses.count == 50)
        #expect(throws: AutoNATDecodingError.tooManyAddresses) {
            try AutoNATv2Codec.decode(Self.request(Array(repeating: Self.address, count: 51)))
        }
        // rust-libp2p sends an empty address where it knows none.
        #expect(
            try AutoNATv2Codec.decode(Self.request([[], [0xff, 0x01], Self.address]))
                == .dialRequest(AutoNATv2DialRequest(addresses: [nil, nil, Self.multiaddr], nonce: 1)))
    }
}
