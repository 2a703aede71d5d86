import DIGContent

/// Bytes that look random and are the same in every run, with their tree.
struct SampleFile: Sendable {
    static let chunkLayer = ChunkLayout.defaultLayer
    static let chunkByteCount = TreeGeometry.blockByteCount << Self.chunkLayer

    let bytes: [UInt8]
    let layer: TreeLayer
    let descriptor: DIGContent.FileDescriptor

    init(byteCount: Int, seed: UInt64 = 1) throws {
        self.bytes = Self.bytes(byteCount, seed: seed)
        let blockByteCount = TreeGeometry.blockByteCount
        var leaves: [UInt8] = []
        for start in stride(from: 0, to: byteCount, by: blockByteCount) {
            leaves += SHA256Digest(hashing: self.bytes[start..<min(start + blockByteCount, byteCount)]).bytes
        }
        let blocks = try TreeLayer(fileSize: UInt64(byteCount), layer: 0, rawBytes: leaves)
        self.layer = try blocks.higher(min(Self.chunkLayer, blocks.geometry.height))
        self.descriptor = try self.layer.descriptor()
    }

    var chunkCount: Int { (self.bytes.count + Self.chunkByteCount - 1) / Self.chunkByteCount }

    func chunk(_ index: Int) -> [UInt8] {
        Array(self.bytes[index * Self.chunkByteCount..<min(self.bytes.count, (index + 1) * Self.chunkByteCount)])
    }

    /// SplitMix64.
    static func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            var word: UInt64 = 0
            for index in 0..<count {
                if index & 7 == 0 {
                    state &+= 0x9e37_79b9_7f4a_7c15
                    word = state
                    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
                    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
                    word ^= word >> 31
                }
                buffer[index] = UInt8(truncatingIfNeeded: word)
                word >>= 8
            }
            initialized = count
        }
    }
}
