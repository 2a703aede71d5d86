import DIGContent

/// The chunk hashes of a file, which arrive in proven segments of consecutive nodes.
///
/// A segment never changes once it is known, so requests hold on to its array without a copy.
struct SegmentTable: Sendable {
    /// Nodes in one segment: 32 KiB of hashes, enough for 64 MiB in chunks of 64 KiB. A power of two.
    static let nodeCount = 1024

    enum Segment: Sendable {
        case unknown
        case requested(PeerKey)
        /// Proven, but what an earlier run left on disk is still being compared with it.
        case checking([SHA256Digest])
        case known([SHA256Digest])
    }

    let layout: ChunkLayout
    private(set) var segments: [Segment]
    private(set) var knownCount = 0
    /// All before this one are not `.unknown`.
    private var frontier = 0

    init(layout: ChunkLayout) {
        self.layout = layout
        self.segments = Array(repeating: .unknown, count: (layout.chunkCount + Self.nodeCount - 1) / Self.nodeCount)
    }

    var areAllKnown: Bool { self.knownCount == self.segments.count }

    func chunks(of segment: Int) -> Range<Int> {
        let start = segment * Self.nodeCount
        return start..<min(start + Self.nodeCount, self.layout.chunkCount)
    }

    func segment(of chunk: Int) -> Int { chunk / Self.nodeCount }

    func isUnknown(_ segment: Int) -> Bool {
        if self.segments.indices.contains(segment), case .unknown = self.segments[segment] { return true }
        return false
    }

    /// The first segment that nobody was asked for.
    mutating func firstUnknown() -> Int? {
        while self.frontier < self.segments.count {
            if self.isUnknown(self.frontier) { return self.frontier }
            self.frontier += 1
        }
        return nil
    }

    mutating func set(_ segment: Int, _ value: Segment) {
        guard self.segments.indices.contains(segment) else { return }
        if case .known = self.segments[segment] { return }
        if case .known = value { self.knownCount += 1 }
        if case .unknown = value { self.frontier = min(self.frontier, segment) }
        self.segments[segment] = value
    }

    /// The peer will not answer: another may be asked.
    mutating func giveUp(_ segment: Int, by key: PeerKey) {
        if self.segments.indices.contains(segment), case .requested(key) = self.segments[segment] { self.set(segment, .unknown) }
    }

    /// The hashes of chunks of one known segment.
    func hashes(of chunks: Range<Int>) -> ArraySlice<SHA256Digest>? {
        let segment = self.segment(of: chunks.lowerBound)
        guard self.segments.indices.contains(segment) else { return nil }
        switch self.segments[segment] {
        case .known(let hashes), .checking(let hashes):
            let start = segment * Self.nodeCount
            guard chunks.upperBound - start <= hashes.count else { return nil }
            return hashes[chunks.lowerBound - start..<chunks.upperBound - start]
        case .unknown, .requested: return nil
        }
    }

    /// The whole layer, 32 bytes each, once it is known. Of a large file it is megabytes.
    var chunkLayerBytes: [UInt8]? {
        guard self.areAllKnown else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(self.layout.chunkCount * SHA256Digest.byteCount)
        for case .known(let hashes) in self.segments {
            for digest in hashes { digest.withUnsafeBytes { bytes.append(contentsOf: $0) } }
        }
        return bytes.count == self.layout.chunkCount * SHA256Digest.byteCount ? bytes : nil
    }

    /// What to ask a peer for: as many nodes as the segment has with padding, and uncles up to the root.
    func request(for segment: Int) -> HashRequest {
        let geometry = self.layout.geometry
        let width = geometry.paddedNodeCount(atLayer: self.layout.treeLayer)
        let count = min(Self.nodeCount, width)
        return HashRequest(
            layer: self.layout.treeLayer, index: segment * Self.nodeCount, count: count,
            proofLayers: geometry.height - self.layout.treeLayer)
    }
}

extension HashRequest {
    /// Whether `segment` has the shape asked for. What it claims is to be proven.
    func isAnswered(by segment: HashSegment) -> Bool {
        segment.layer == self.layer && segment.index == self.index && segment.count == self.count
    }
}
