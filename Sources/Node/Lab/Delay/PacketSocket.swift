#if os(Linux)
import Glibc

/// An AF_PACKET socket on one interface (packet(7)): whole frames, each after a virtio header.
///
/// Without the header, frames whose checksum the sending veth has left to the hardware would arrive with a wrong one.
struct PacketSocket {
    let descriptor: Int32

    // linux/if_packet.h and linux/if_ether.h; the module map has none of them.
    private static let addressFamily: Int32 = 17
    private static let level: Int32 = 263
    private static let virtioHeader: Int32 = 15
    private static let bypassQueue: Int32 = 20
    private static let ignoreOutgoing: Int32 = 23
    private static let allProtocols: UInt16 = 0x0003

    /// Of `struct virtio_net_hdr`.
    static let headerLength = 10

    /// - Throws: ``LabError`` with `.commandFailed`.
    init(interface: String) throws(LabError) {
        func fail(_ operation: String) -> LabError { LabError(.commandFailed, "\(operation) on \(interface): \(String(cString: strerror(errno)))") }
        let index = if_nametoindex(interface)
        guard index != 0 else { throw fail("finding the interface") }
        let descriptor = socket(Self.addressFamily, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), Int32(Self.allProtocols.bigEndian))
        guard descriptor >= 0 else { throw fail("opening a packet socket") }
        self.descriptor = descriptor
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        for option in [Self.virtioHeader, Self.ignoreOutgoing, Self.bypassQueue] {
            guard setsockopt(descriptor, Self.level, option, &one, size) == 0 else { throw fail("packet socket option \(option)") }
        }
        // A burst waits here while the element sleeps; FORCE, because the machine's limit is made for other things.
        var bytes: Int32 = 32 << 20
        let receiveBufferForce: Int32 = 33
        _ = setsockopt(descriptor, SOL_SOCKET, receiveBufferForce, &bytes, size)

        // struct sockaddr_ll: family, protocol (big endian), interface index; the rest is for sending elsewhere.
        var address = [UInt8](repeating: 0, count: 20)
        withUnsafeBytes(of: UInt16(Self.addressFamily)) { address.replaceSubrange(0..<2, with: $0) }
        withUnsafeBytes(of: Self.allProtocols.bigEndian) { address.replaceSubrange(2..<4, with: $0) }
        withUnsafeBytes(of: Int32(index)) { address.replaceSubrange(4..<8, with: $0) }
        let bound = address.withUnsafeBytes { raw -> Int32 in
            guard let base = raw.baseAddress else { return -1 }
            return bind(descriptor, base.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count))
        }
        guard bound == 0 else { throw fail("binding a packet socket") }
    }
}
#endif
