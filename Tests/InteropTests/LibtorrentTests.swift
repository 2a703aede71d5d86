import DIGContent
import Foundation
import Testing

@Suite("libtorrent", .timeLimit(.minutes(5)))
struct LibtorrentTests {
    @Test("the root of our tree is BitTorrent v2's pieces root", arguments: [1, 16_383, 16_384, 16_385, 65_536, 1 << 20 | 1, 33 << 20 | 7])
    func piecesRoot(byteCount: Int) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("pieces-root-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var generator = SplitMix(state: UInt64(byteCount))
        try Data((0..<byteCount).map { _ in UInt8(truncatingIfNeeded: generator.next()) }).write(to: URL(fileURLWithPath: path))

        let ours = try await FileHasher().hash(fileAt: path).descriptor.root
        let theirs = try InteropPeer.output(of: "libtorrent/pieces_root.py", arguments: [path])

        #expect(ours.hex == theirs)
    }

    @Test("an empty file, which BitTorrent v2 gives no root, has 32 zero bytes by our definition")
    func emptyFile() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("pieces-root-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data().write(to: URL(fileURLWithPath: path))

        #expect(try await FileHasher().hash(fileAt: path).descriptor.root == .zero)
    }
}

/// Steele, Lea and Flood's SplitMix64: the same bytes in every run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
