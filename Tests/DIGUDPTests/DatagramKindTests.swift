import DIGUDP
import NIOCore
import Testing

@Suite("Datagrams on a shared port")
struct DatagramKindTests {
    @Test("are told apart by their first byte (RFC 9443 §2)", arguments: UInt8.min...UInt8.max)
    func firstByte(first: UInt8) {
        let expected: DatagramKind? =
            switch first {
            case 0...3: .stun
            case 20...63: .dtls
            case 64...255: .quic
            default: nil
            }
        let datagram = ByteBuffer(bytes: [first, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42])
        #expect(DatagramKind(datagram) == expected)
    }

    @Test("are STUN only with the magic cookie, and nothing if empty")
    func cookie() {
        #expect(DatagramKind(ByteBuffer(bytes: [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x43])) == nil)
        #expect(DatagramKind(ByteBuffer(bytes: [0, 1, 0, 0, 0x21, 0x12, 0xa4])) == nil)
        #expect(DatagramKind(ByteBuffer()) == nil)
    }
}
