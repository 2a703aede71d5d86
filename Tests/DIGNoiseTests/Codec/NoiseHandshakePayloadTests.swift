import DIGNet
import Testing

@testable import DIGNoise

@Suite("Noise handshake payload")
struct NoiseHandshakePayloadTests {
    private let payload = NoiseHandshakePayload(identityKey: [1, 2], identitySignature: [3], muxers: ["/a", "/b"])
    // identity_key = 1, identity_sig = 2, extensions = 4 { stream_muxers = 2 }
    private let bytes: [UInt8] = [0x0a, 2, 1, 2, 0x12, 1, 3, 0x22, 8, 0x12, 2, 0x2f, 0x61, 0x12, 2, 0x2f, 0x62]

    @Test("has the specification's field numbers")
    func pinned() throws {
        #expect(try self.payload.encoded() == self.bytes)
        #expect(try NoiseHandshakePayload(decoding: self.bytes) == self.payload)
    }

    @Test("has no extensions without multiplexers")
    func noMuxers() throws {
        let payload = NoiseHandshakePayload(identityKey: [1, 2], identitySignature: [3], muxers: [])
        #expect(try payload.encoded() == Array(self.bytes.prefix(7)))
    }

    @Test("ignores what it does not know, such as certificate hashes")
    func unknownFields() throws {
        let more: [UInt8] = Array(self.bytes.prefix(7)) + [0x22, 5, 0x0a, 3, 9, 9, 9] + [0x1a, 1, 7]
        #expect(try NoiseHandshakePayload(decoding: more) == NoiseHandshakePayload(identityKey: [1, 2], identitySignature: [3], muxers: []))
    }

    @Test("cut short is refused or lacks only its extensions")
    func prefixes() {
        for length in 0..<self.bytes.count {
            let prefix = Array(self.bytes.prefix(length))
            if length == 7 { continue }
            #expect(throws: NoiseError.invalidPayload) { try NoiseHandshakePayload(decoding: prefix) }
        }
    }

    @Test("takes at most 32 multiplexers")
    func manyMuxers() throws {
        let many = NoiseHandshakePayload(identityKey: [1], identitySignature: [2], muxers: (0..<100).map { ProtocolID("/\($0)") })
        #expect(try NoiseHandshakePayload(decoding: many.encoded()).muxers.count == NoiseHandshakePayload.maximumMuxers)
    }
}
