import DIGContent
import Synchronization

/// The chunk hashes of a download, for the host that serves it on: known once all segments are.
final class DownloadHashSource: ChunkHashSource {
    private let layer = Mutex<TreeLayer?>(nil)

    func set(_ layer: TreeLayer) { self.layer.withLock { $0 = layer } }

    /// Nil until all segments are known.
    var known: TreeLayer? { self.layer.withLock { $0 } }

    func storedLayer() throws -> TreeLayer {
        guard let layer = self.known else {
            throw TransferError(.notFound, "the chunk hashes of this download are not complete yet")
        }
        return layer
    }
}
