import Crypto
import NIOCore
import Testing

@testable import DIGNoise

@Suite("Noise cipher state")
struct CipherStateTests {
    private let key = SymmetricKey(size: .bits256)

    @Test("seals 2⁶⁴ - 1 messages and no more (Noise §5.1)")
    func nonceExhausted() throws {
        var sender = CipherState(key: self.key, counter: .max - 1)
        var receiver = sender
        let sealed = try sender.seal([1, 2, 3], authenticating: [])
        #expect(try receiver.open(sealed[...], authenticating: []) == [1, 2, 3])

        var output = ByteBuffer()
        #expect(throws: NoiseError.nonceExhausted) { try sender.seal([1], authenticating: []) }
        #expect(throws: NoiseError.nonceExhausted) { try sender.beginFrame() }
        #expect(throws: NoiseError.nonceExhausted) { try receiver.open(sealed[...], authenticating: []) }
        #expect(throws: NoiseError.nonceExhausted) { try receiver.open(ByteBuffer(repeating: 0, count: 19), into: &output) }
    }

    @Test("opens nothing shorter than a tag", arguments: 0..<16)
    func truncated(length: Int) {
        var state = CipherState(key: self.key)
        var output = ByteBuffer()
        #expect(throws: NoiseError.truncated) { try state.open(ByteBuffer(repeating: 0, count: length), into: &output) }
        #expect(throws: NoiseError.truncated) { try state.open([UInt8](repeating: 0, count: length)[...], authenticating: []) }
    }

    /// At a counter that fills all eight bytes, whatever the sizes of the pieces: within, at and beyond blocks of the cipher (64) and of the tag (16).
    @Test("what is sealed in pieces is what swift-crypto seals", arguments: [[0], [1], [100], [12, 65507], [63, 1, 64, 65, 15, 16, 17], [7, 0, 4096, 1]])
    func pieces(counts: [Int]) throws {
        let counter: UInt64 = 0x0102_0304_0506_0708
        var sender = CipherState(key: self.key, counter: counter)
        let plaintext = (0..<counts.reduce(0, +)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var sealed = ByteBuffer(bytes: [0xff])
        try sender.beginFrame()
        var rest = plaintext[...]
        for count in counts {
            try sender.seal(ByteBuffer(bytes: rest.prefix(count)), into: &sealed)
            rest = rest.dropFirst(count)
        }
        try sender.endFrame(into: &sealed)
        #expect(sealed.readInteger(as: UInt8.self) == 0xff)

        let nonce = try ChaChaPoly.Nonce(data: [0, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: counter >> (8 * $0)) })
        let expected = try ChaChaPoly.seal(plaintext, using: self.key, nonce: nonce).combined.dropFirst(12)
        let isEqual = Array(expected) == Array(sealed.readableBytesView)
        #expect(isEqual)

        var receiver = CipherState(key: self.key, counter: counter)
        var opened = ByteBuffer(bytes: [1])
        try receiver.open(sealed, into: &opened)
        let isOpened = Array(opened.readableBytesView.dropFirst()) == plaintext
        #expect(isOpened)
    }

    @Test("a frame that is not authentic gives nothing, and the counter stays")
    func forged() throws {
        var sender = CipherState(key: self.key)
        var receiver = CipherState(key: self.key)
        var sealed = ByteBuffer()
        try sender.beginFrame()
        try sender.seal(ByteBuffer(repeating: 7, count: 100), into: &sealed)
        try sender.endFrame(into: &sealed)
        for index in [0, 50, 99, 100, 115] {
            var forged = sealed
            forged.setInteger(try #require(sealed.getInteger(at: index, as: UInt8.self)) ^ 0x10, at: index)
            var output = ByteBuffer()
            #expect(throws: NoiseError.decryptionFailed) { try receiver.open(forged, into: &output) }
            #expect(output.readableBytes == 0)
        }
        var output = ByteBuffer()
        try receiver.open(sealed, into: &output)
        #expect(output == ByteBuffer(repeating: 7, count: 100))
    }

    @Test("associated data is part of what is authentic, and of no other message")
    func associatedData() throws {
        var sender = CipherState(key: self.key)
        var receiver = CipherState(key: self.key)
        let sealed = try sender.seal([1, 2, 3], authenticating: [4, 5])
        #expect(throws: NoiseError.decryptionFailed) { try receiver.open(sealed[...], authenticating: [4, 6]) }
        #expect(throws: NoiseError.decryptionFailed) { try receiver.open(sealed[...], authenticating: []) }
        #expect(try receiver.open(sealed[...], authenticating: [4, 5]) == [1, 2, 3])
        let next = try sender.seal([], authenticating: [])
        #expect(try receiver.open(next[...], authenticating: []) == [])
    }
}
