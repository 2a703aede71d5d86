import Foundation

/// The packets that `tcpdump` recorded, in the classic pcap format of this machine's byte order.
struct PacketFile: Sendable {
    struct Packet: Sendable {
        /// Since 1970.
        var seconds: Double
        var bytes: Data
    }

    struct Unreadable: Error {}

    let packets: [Packet]

    init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path), data.count >= 24 else { throw Unreadable() }
        func word(_ offset: Int) -> UInt32 { data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) } }
        guard word(0) == 0xa1b2_c3d4 else { throw Unreadable() }
        var packets: [Packet] = []
        var offset = 24
        // The last one may be cut off.
        while offset + 16 <= data.count {
            let count = Int(word(offset + 8))
            guard offset + 16 + count <= data.count else { break }
            packets.append(Packet(seconds: Double(word(offset)) + Double(word(offset + 4)) * 1e-6, bytes: data[(offset + 16)..<(offset + 16 + count)]))
            offset += 16 + count
        }
        self.packets = packets
    }

    func contains(_ marker: Data) -> Bool { self.packets.contains { $0.bytes.range(of: marker) != nil } }

    func byteCount(after seconds: Double = 0) -> Int { self.packets.filter { $0.seconds >= seconds }.reduce(0) { $0 + $1.bytes.count } }
}
