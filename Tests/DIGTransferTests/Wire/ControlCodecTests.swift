import DIGContent
import NIOCore
import Testing

@testable import DIGTransfer

/// The pinned bytes were made by `protoc --encode=dig.transfer.v1.Control transfer.proto`.
@Suite("transfer control messages")
struct ControlCodecTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        var hex: String
        var message: ControlMessage
        var testDescription: String { "\(self.hex.prefix(24))" }
    }

    static let digestHex = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
    static let digest = SHA256Digest(hex: digestHex) ?? .zero
    static let hash = ContentHash(digest: digest)

    static func range(_ first: UInt32, _ count: UInt32) -> ChunkRange {
        guard let range = ChunkRange(first: first, count: count) else { preconditionFailure("no range in a test vector") }
        return range
    }

    static let vectors: [Vector] = [
        Vector(hex: "0a240a20\(digestHex)1002", message: .request(.describe(hash, chunkLayer: 2))),
        Vector(hex: "0a220a20\(digestHex)", message: .request(.describe(hash, chunkLayer: nil))),
        Vector(hex: "120a08021080081880042007", message: .request(.getHashes(HashRequest(layer: 2, index: 1024, count: 512, proofLayers: 7)))),
        Vector(hex: "1a0408031005", message: .request(.getChunks(range(3, 5)))),
        Vector(hex: "220408031001", message: .request(.cancel(range(3, 1)))),
        Vector(hex: "2a00", message: .request(.subscribe)),
        Vector(hex: "320708808008108020", message: .request(.getListing(offset: 131_072, byteCount: 4096))),
        Vector(hex: "3a08084d120461626364", message: .request(.prove(block: 77, nonce: Array("abcd".utf8)))),
        Vector(hex: "4200", message: .request(.release)),
        Vector(hex: "4a2408091220\(digestHex)", message: .request(.resolve(requestID: 9, .sha256(digest)))),
        Vector(hex: "4a0a08091a067265706f7274", message: .request(.resolve(requestID: 9, .name("report")))),
        Vector(
            hex: "8202360a2808a08d061220\(digestHex)18024205612e7478744a0378797a",
            message: .response(
                .description(
                    ContentDescription(.file(size: 100_000, root: digest, chunkLayer: 2), name: "a.txt", bindings: [Array("xyz".utf8)])))),
        Vector(hex: "8202051203088004", message: .response(.description(ContentDescription(.folder(byteCount: 512))))),
        Vector(hex: "8202021a00", message: .response(.description(ContentDescription(.notFound)))),
        Vector(hex: "82020422020804", message: .response(.description(ContentDescription(.refused(.busy))))),
        Vector(
            hex: "8a0248080210041a20\(digestHex)2220\(digestHex)",
            message: .response(.hashes(HashSegment(layer: 2, index: 4, count: 1, hashes: digest.bytes, uncles: [digest])))),
        Vector(
            hex: "9202080802100418082001",
            message: .response(.hashesUnavailable(HashRequestID(layer: 2, index: 4, count: 8), .notHeld))),
        Vector(hex: "9a02020801", message: .response(.bitfield(.complete))),
        Vector(hex: "9a02071205080812010f", message: .response(.bitfield(.part(first: 8, bits: [15])))),
        Vector(hex: "a2020c0a04080110020a0408091001", message: .response(.have([range(1, 2), range(9, 1)]))),
        Vector(hex: "aa0206080310021802", message: .response(.chunksUnavailable(range(3, 2), .changed))),
        Vector(hex: "b2020708101203616263", message: .response(.listingPart(offset: 16, bytes: Array("abc".utf8)))),
        Vector(
            hex: "ba022f0805120461626364220378797a2a20\(digestHex)",
            message: .response(.proof(BlockProof(block: 5, bytes: Array("xyz".utf8), uncles: [digest]), nonce: Array("abcd".utf8)))),
        Vector(
            hex: "ba020a08051204616263641803",
            message: .response(.proofUnavailable(block: 5, nonce: Array("abcd".utf8), .unreadable))),
        Vector(hex: "c202070809120378797a", message: .response(.resolved(requestID: 9, bindings: [Array("xyz".utf8)]))),
        Vector(hex: "c2020408091807", message: .response(.resolved(requestID: 9, bindings: [], withheld: .authenticationRequired))),
        Vector(hex: "82020422020807", message: .response(.description(ContentDescription(.refused(.authenticationRequired))))),
        Vector(hex: "82020422020808", message: .response(.description(ContentDescription(.refused(.notAuthorized))))),
    ]

    static let invalid: [(hex: String, what: String)] = [
            ("0a210a1f\(digestHex.dropLast(2))", "truncated or short hash"),
            ("0a240a20\(digestHex)1007", "chunk layer 7"),
            ("1204080210041801", "length beyond the end or a count that is missing"),
            ("1206080210041800", "count 0 of hashes"),
            ("120708021004188120", "4097 hashes"),
            ("1206081b10041801", "layer 27"),
            ("1210080210ffffffffffffffffff0118012000", "an index above Int.max"),
            ("1208080210041801201b", "27 proof layers"),
            ("1a0408031000", "count 0 of chunks"),
            ("1a0c08ffffffff0f10ffffffff0f", "first + count above 2^32"),
            ("220408031000", "cancelling nothing"),
            ("3205080010818008", "a listing part above 128 KiB"),
            ("320408001000", "an empty listing part"),
            ("3a25084d1221\(String(repeating: "00", count: 33))", "a nonce of 33 bytes"),
            ("4a020809", "resolving nothing"),
            ("4a0408091a00", "an empty name"),
            ("4a050809120100", "a SHA-256 of one byte"),
            ("8202050a03120100", "a root of one byte"),
            ("8202260a241220\(digestHex)1807", "a chunk layer of 7"),
            ("8202024a00", "an empty binding"),
            ("8a020408021004", "no hashes"),
            ("8a0207080210041a0100", "hashes of one byte"),
            ("9a0200", "a bitfield without bits"),
            ("9a02020800", "a bitfield that is not complete and has no bits"),
            ("9a02071205080712010f", "a part at no whole byte"),
            ("a20200", "having nothing"),
            ("a2020c0a04080110020a0408021001", "having the same twice"),
            ("a2020c0a04080910010a0408011002", "having not in order"),
            ("ba02080805120461626364", "a proof without data"),
        ]

    @Test("are these bytes and no others", arguments: vectors)
    func pinned(_ vector: Vector) throws {
        let bytes = Hex.bytes(vector.hex)
        #expect(try ControlCodec.decode(ByteBuffer(bytes: bytes)) == vector.message)
        switch vector.message {
        case .request(let request): #expect(ControlCodec.encode(request) == bytes)
        case .response(let response): #expect(ControlCodec.encode(response) == bytes)
        }
    }

    @Test("cut short are refused or another message, never a trap", arguments: vectors)
    func prefixes(_ vector: Vector) {
        let bytes = Hex.bytes(vector.hex)
        for length in 0..<bytes.count {
            let decoded = try? ControlCodec.decode(ByteBuffer(bytes: bytes[..<length]))
            #expect(decoded != .some(vector.message))
        }
    }

    @Test("with any byte changed do not trap", arguments: vectors)
    func flips(_ vector: Vector) {
        let bytes = Hex.bytes(vector.hex)
        for index in bytes.indices {
            for value in [0, 1, 0x7f, 0x80, 0xff] as [UInt8] {
                var changed = bytes
                changed[index] ^= value
                _ = try? ControlCodec.decode(ByteBuffer(bytes: changed))
            }
        }
    }

    @Test("with a field out of range are refused", arguments: invalid)
    func outOfRange(_ hex: String, _ what: String) {
        #expect(throws: TransferWireError.self, "\(what)") { try ControlCodec.decode(ByteBuffer(bytes: Hex.bytes(hex))) }
    }

    @Test("of an unknown kind are skipped")
    func unknown() throws {
        // Field 1000, as a later version may have.
        #expect(try ControlCodec.decode(ByteBuffer(bytes: Hex.bytes("c23e0108"))) == nil)
        #expect(try ControlCodec.decode(ByteBuffer()) == nil)
    }

    @Test("say a reason of a later version as unspecified")
    func unknownReason() throws {
        let decoded = try ControlCodec.decode(ByteBuffer(bytes: Hex.bytes("aa020608031002185a")))
        #expect(decoded == .response(.chunksUnavailable(Self.range(3, 2), .unspecified)))
    }

    @Test("hold exactly as many bindings and hashes as the limits say")
    func atTheBound() throws {
        let hashes = [UInt8](repeating: 7, count: TransferLimits.maximumHashCount * 32)
        let full = TransferResponse.hashes(HashSegment(layer: 2, index: 0, count: TransferLimits.maximumHashCount, hashes: hashes, uncles: []))
        let encoded = try #require(ControlCodec.encode(full))
        #expect(encoded.count <= TransferLimits.maximumControlByteCount)
        #expect(try ControlCodec.decode(ByteBuffer(bytes: encoded)) == .response(full))

        let bindings = Array(repeating: [UInt8](repeating: 1, count: TransferLimits.maximumBindingByteCount), count: TransferLimits.maximumBindingCount)
        let resolved = TransferResponse.resolved(requestID: 1, bindings: bindings)
        let list = try #require(ControlCodec.encode(resolved))
        #expect(list.count <= TransferLimits.maximumControlByteCount)
        #expect(try ControlCodec.decode(ByteBuffer(bytes: list)) == .response(resolved))

        let tooMany = TransferResponse.resolved(requestID: 1, bindings: bindings + [[1]])
        let long = try #require(ControlCodec.encode(tooMany))
        #expect(throws: TransferWireError.fieldOutOfRange(field: "bindings")) { try ControlCodec.decode(ByteBuffer(bytes: long)) }
    }
}
