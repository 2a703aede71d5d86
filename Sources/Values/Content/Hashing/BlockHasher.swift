import CDIGSHA256

/// SHA-256 of many messages of one length at once, across the lanes or units of the processor.
public enum BlockHasher {
    /// One implementation of the multi-lane hash, for benchmarks and diagnostics.
    public static var implementationName: String { String(cString: dig_sha256_path_name(dig_sha256_preferred_path())) }

    /// Hashes `blocks`, each `byteCount` bytes long, into `digests`.
    ///
    /// Best with 16 or more blocks. Allocates nothing.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` if a block has another length or `digests` has not as many places as `blocks`.
    public static func hash(
        _ blocks: UnsafeBufferPointer<UnsafeRawBufferPointer>, byteCount: Int, into digests: UnsafeMutableBufferPointer<SHA256Digest>
    ) throws(ContentError) {
        guard blocks.count == digests.count, blocks.allSatisfy({ $0.count == byteCount }), let output = digests.baseAddress else {
            guard blocks.isEmpty, digests.isEmpty else {
                throw ContentError(.geometryMismatch, "blocks of \(byteCount) bytes and a place for the digest of each are needed")
            }
            return
        }
        withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: blocks.count) { pointers in
            withUnsafeBytes(of: 0 as UInt8) { dummy in
                for (index, block) in blocks.enumerated() {
                    pointers.initializeElement(at: index, to: (block.baseAddress ?? dummy.baseAddress)?.assumingMemoryBound(to: UInt8.self))
                }
                dig_sha256_blocks(
                    UnsafePointer(pointers.baseAddress), blocks.count, byteCount, UnsafeMutableRawPointer(output).assumingMemoryBound(to: UInt8.self))
            }
        }
    }

    /// Hashes `blocks`, which all have the same length.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` if they have not.
    public static func hash(_ blocks: [UnsafeRawBufferPointer]) throws(ContentError) -> [SHA256Digest] {
        var digests = [SHA256Digest](repeating: .zero, count: blocks.count)
        try blocks.withUnsafeBufferPointer { (blocks) throws(ContentError) in
            try digests.withUnsafeMutableBufferPointer { (digests) throws(ContentError) in
                try Self.hash(blocks, byteCount: blocks.first?.count ?? 0, into: digests)
            }
        }
        return digests
    }
}
