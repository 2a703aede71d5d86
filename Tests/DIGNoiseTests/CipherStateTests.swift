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
        #expect(throws: NoiseError.nonceExhausted) { try sender.seal(ByteBuffer(bytes: [1]), count: 1, into: &output) }
        #expect(throws: NoiseError.nonceExhausted) { try receiver.open(sealed[...], authenticating: []) }
        var frames = ByteBuffer(repeating: 0, count: 60)
        #expect(throws: NoiseError.nonceExhausted) { try receiver.open(at: 12, length: 19, in: &frames, into: &output) }
    }

    @Test("opens nothing shorter than a tag", arguments: 0..<16)
    func truncated(length: Int) {
        var state = CipherState(key: self.key)
        var frames = ByteBuffer(repeating: 0, count: 40)
        var output = ByteBuffer()
        #expect(throws: NoiseError.truncated) { try state.open(at: 12, length: length, in: &frames, into: &output) }
        #expect(throws: NoiseError.truncated) { try state.open([UInt8](repeating: 0, count: length)[...], authenticating: []) }
    }

    @Test("both ways of sealing agree, at a counter that fills all eight bytes")
    func ways() throws {
        let counter: UInt64 = 0x0102_0304_0506_0708
        var first = CipherState(key: self.key, counter: counter)
        var second = first
        var third = first
        let plaintext = (0..<100).map { UInt8($0) }
        var sealed = ByteBuffer(repeating: 0, count: CipherState.nonceLength)
        try first.seal(ByteBuffer(bytes: plaintext), count: plaintext.count, into: &sealed)
        #expect(try second.seal(plaintext, authenticating: []) == Array(sealed.readableBytesView.dropFirst(12)))
        var opened = ByteBuffer()
        try third.open(at: 12, length: 116, in: &sealed, into: &opened)
        #expect(Array(opened.readableBytesView) == plaintext)
    }
}
