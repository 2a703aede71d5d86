import DIGMultiformats
import NIOCore
import Testing

@testable import DIGAutoNAT

@Suite("AutoNAT v1 messages")
struct AutoNATv1CodecTests {
    /// `/ip4/203.0.113.5/tcp/4001`.
    static let address: [UInt8] = [0x04, 203, 0, 113, 5, 0x06, 0x0f, 0xa1]

    /// The bytes that the protobuf of the specification gives.
    static let vectors: [(AutoNATv1Message, [UInt8])] = [
        (
            .dial(peer: [1, 2], addresses: [Multiaddr(components: [.ip4(.init(203, 0, 113, 5)), .tcp(4001)])]),
            [0x08, 0x00, 0x12, 0x10, 0x0a, 0x0e, 0x0a, 0x02, 1, 2, 0x12, 0x08] + address
        ),
        (
            .response(AutoNATv1Response(.ok, address: Multiaddr(components: [.ip4(.init(203, 0, 113, 5)), .tcp(4001)]))),
            [0x08, 0x01, 0x1a, 0x0c, 0x08, 0x00, 0x1a, 0x08] + address
        ),
        (.response(AutoNATv1Response(.dialError, text: "no")), [0x08, 0x01, 0x1a, 0x06, 0x08, 0x64, 0x12, 0x02, 0x6e, 0x6f]),
        (.response(AutoNATv1Response(.dialRefused)), [0x08, 0x01, 0x1a, 0x02, 0x08, 0x65]),
        (.response(AutoNATv1Response(.badRequest)), [0x08, 0x01, 0x1a, 0x03, 0x08, 0xc8, 0x01]),
        (.response(AutoNATv1Response(.internalError)), [0x08, 0x01, 0x1a, 0x03, 0x08, 0xac, 0x02]),
    ]

    @Test("has the bytes of the specification, both ways", arguments: vectors.indices)
    func pinned(_ index: Int) throws {
        let (message, bytes) = Self.vectors[index]
        #expect(AutoNATv1Codec.encode(message) == ByteBuffer(bytes: bytes))
        #expect(try AutoNATv1Codec.decode(ByteBuffer(bytes: bytes)) == message)
    }

    @Test("No strict prefix of a message is taken for the whole", arguments: vectors.indices)
    func prefixes(_ index: Int) {
        let (message, bytes) = Self.vectors[index]
        for count in bytes.indices {
            do throws(AutoNATDecodingError) {
                #expect(try AutoNATv1Codec.decode(ByteBuffer(bytes: bytes.prefix(count))) != message)
            } catch {
                #expect([.malformed, .missingField].contains(error))
            }
        }
    }

    @Test(
        "A message that says too little, or what no specification knows, is refused",
        arguments: [
            ([], .missingField),
            ([0x08, 0x02], .missingField),  // type 2
            ([0x08, 0x00], .missingField),  // no dial
            ([0x08, 0x00, 0x12, 0x00], .missingField),  // no peer
            ([0x08, 0x01], .missingField),  // no response
            ([0x08, 0x01, 0x1a, 0x00], .missingField),  // no status
            ([0x08, 0x01, 0x1a, 0x02, 0x08, 0x01], .missingField),  // status 1
            ([0x0b], .malformed), ([0x08], .malformed), ([0x12, 0x05, 0x0a], .malformed), ([0xff, 0xff], .malformed),
        ] as [([UInt8], AutoNATDecodingError)])
    func refused(_ bytes: [UInt8], _ error: AutoNATDecodingError) {
        #expect(throws: error) { try AutoNATv1Codec.decode(ByteBuffer(bytes: bytes)) }
    }

    @Test("64 addresses are read, 65 are not; those nobody knows are left out")
    func addressCount() throws {
        func request(_ addresses: [[UInt8]]) -> ByteBuffer {
            let peer: [UInt8] = addresses.flatMap { address -> [UInt8] in [0x12, UInt8(address.count)] + address }
            var bytes = ByteBuffer(bytes: [0x08, 0x00, 0x12])
            var inner = ByteBuffer(bytes: [0x0a])
            inner.writeUnsignedVarint(UInt64(peer.count))
            inner.writeBytes(peer)
            bytes.writeUnsignedVarint(UInt64(inner.readableBytes))
            bytes.writeImmutableBuffer(inner)
            return bytes
        }
        let fits = try AutoNATv1Codec.decode(request(Array(repeating: Self.address, count: 64)))
        guard case .dial(nil, let addresses) = fits else { throw AutoNATDecodingError.malformed }
        #expect(addresses.count == 64)
        let tooMany = request(Array(repeating: Self.address, count: 65))
        #expect(throws: AutoNATDecodingError.tooManyAddresses) { try AutoNATv1Codec.decode(tooMany) }
        let some = try AutoNATv1Codec.decode(request([[0xff, 0x01], [], Self.address]))
        let known = try Multiaddr(bytes: Self.address)
        #expect(some == .dial(peer: nil, addresses: [known]))
    }
}
