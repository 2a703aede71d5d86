import CDIGSHA256

extension TreeGeometry {
    /// The hashes of subtrees that hold no byte of the file, by layer: zero at the leaves, then SHA-256 of the one below twice (BEP 52).
    static let paddingHashes: [SHA256Digest] = {
        var hashes = [SHA256Digest.zero]
        for _ in 0..<TreeGeometry.maximumHeight {
            hashes.append(SHA256Digest.node(hashes[hashes.count - 1], hashes[hashes.count - 1]))
        }
        return hashes
    }()

    /// `layer` must be in 0…``maximumHeight``.
    static func paddingHash(atLayer layer: Int) -> SHA256Digest { self.paddingHashes[layer] }
}

extension SHA256Digest {
    /// The inner node above two nodes: SHA-256 of their 64 bytes.
    static func node(_ left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
        var pair = (left, right)
        withUnsafeMutableBytes(of: &pair) { bytes in
            let nodes = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            dig_sha256_pairs(nodes, 1, nodes)
        }
        return pair.0
    }

    /// The root of a subtree whose lowest row is given; `row` has a power of two of nodes, at least one.
    static func subtreeRoot(ofRow row: [UInt8]) -> SHA256Digest {
        var row = row
        return row.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress, bytes.count >= SHA256Digest.byteCount else { return .zero }
            let nodes = base.assumingMemoryBound(to: UInt8.self)
            var count = bytes.count / SHA256Digest.byteCount
            while count > 1 {
                count /= 2
                dig_sha256_pairs(nodes, count, nodes)
            }
            return SHA256Digest(loadingFrom: base)
        }
    }
}
