import NIOCore
import Testing

@testable import DIGSTUN

@Suite("STUN messages in a stream")
struct STUNFrameDecoderTests {
    @Test("come out whole, however the bytes come in")
    func oneByteAtATime() throws {
        let decoder = STUNFrameDecoder(maximumByteCount: 1000)
        let stream = RFC5769Tests.all.flatMap { $0 }
        for step in [1, 2, 3, 7, 19, 64, stream.count] {
            var buffer = ByteBuffer()
            var frames: [[UInt8]] = []
            for start in stride(from: 0, to: stream.count, by: step) {
                buffer.writeBytes(stream[start..<min(stream.count, start + step)])
                while let frame = try decoder.nextFrame(&buffer) { frames.append(Array(frame.readableBytesView)) }
            }
            let isSame = frames == RFC5769Tests.all
            #expect(isSame, "in steps of \(step)")
            #expect(buffer.readableBytes == 0)
        }
    }

    @Test("are refused as soon as the header shows that they are none, or too long")
    func refused() {
        let decoder = STUNFrameDecoder(maximumByteCount: 100)
        func refuse(_ header: String, _ error: STUNDecodingError) {
            var buffer = ByteBuffer(bytes: bytes(header))
            #expect(throws: error) { try decoder.nextFrame(&buffer) }
        }
        refuse("47 45 54 20 2f 20 48 54", .notSTUN)
        refuse("00 01 00 00 21 12 a4 43", .notSTUN)
        refuse("40 01 00 00 21 12 a4 42", .notSTUN)
        refuse("00 01 00 02 21 12 a4 42", .invalidLength)
        refuse("00 01 00 54 21 12 a4 42", .limitExceeded)
        refuse("00 01 ff fc 21 12 a4 42", .limitExceeded)
    }
}
