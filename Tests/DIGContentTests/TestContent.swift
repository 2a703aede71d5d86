import Crypto
import DIGContent
import Foundation

/// Ours; swift-crypto has a type of the same name.
typealias SHA256Digest = DIGContent.SHA256Digest

/// The code that `body` fails with; `nil` if it does not.
func contentErrorCode(_ body: () throws -> Void) -> ContentError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? ContentError)?.code
    }
}

/// Byte i of the test content is i mod 251: a period that no block size divides.
enum TestContent {
    static func bytes(_ count: Int) -> [UInt8] {
        let period = (0..<251).map { UInt8($0) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 251 * 64)
        let run = Array(repeatElement(period, count: 64).joined())
        while bytes.count < count { bytes.append(contentsOf: run) }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    static func sha256(_ bytes: some DataProtocol) -> SHA256Digest {
        SHA256Digest(bytes: Array(SHA256.hash(data: bytes))) ?? .zero
    }
}

/// The tree of BEP 52 in the plainest way, with another SHA-256: every layer with its padding.
struct ReferenceTree {
    var layers: [[SHA256Digest]]

    init(_ bytes: [UInt8]) {
        var row = stride(from: 0, to: bytes.count, by: 16384).map { TestContent.sha256(bytes[$0..<min($0 + 16384, bytes.count)]) }
        if row.isEmpty { row = [.zero] }
        while row.count & (row.count - 1) != 0 { row.append(.zero) }
        self.layers = [row]
        while row.count > 1 {
            row = stride(from: 0, to: row.count, by: 2).map { TestContent.sha256(row[$0].bytes + row[$0 + 1].bytes) }
            self.layers.append(row)
        }
    }

    var root: SHA256Digest { self.layers[self.layers.count - 1][0] }
}

/// A folder that is deleted with the test.
final class TemporaryFolder {
    let path: String

    init() throws {
        self.path = NSTemporaryDirectory() + "/dig-content-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: self.path)
    }

    func write(_ bytes: [UInt8], to name: String = "file.bin") throws -> String {
        let file = self.path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }
}

extension TreeLayer {
    /// The layer of `bytes`, by way of the product's own hasher.
    static func of(_ bytes: [UInt8], chunkLayer: Int) throws -> TreeLayer {
        let layout = try ChunkLayout(fileSize: UInt64(bytes.count), layer: chunkLayer)
        var hasher = ChunkHasher()
        var digests = [SHA256Digest](repeating: .zero, count: layout.chunkCount)
        try bytes.withUnsafeBytes { bytes in
            try digests.withUnsafeMutableBufferPointer { try hasher.hash(consecutive: bytes, layout: layout, into: $0) }
        }
        return try TreeLayer(fileSize: UInt64(bytes.count), layer: layout.treeLayer, rawBytes: digests.flatMap(\.bytes))
    }
}
