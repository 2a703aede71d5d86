import DIGContent
import OrderedCollections
import Synchronization

/// Keeps the hash trees in use in memory, at most so many bytes; the one unused for longest goes first.
///
/// A content hash commits to the tree, so nothing here is ever stale.
final class ProverCache: Sendable {
    private struct State {
        /// Least recently used first.
        var provers: OrderedDictionary<ContentHash, TreeProver> = [:]
        var byteCount = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter byteCapacity: A single tree above it is used and not kept.
    init(byteCapacity: Int) {
        self.capacity = byteCapacity
    }

    var byteCount: Int { self.state.withLock { $0.byteCount } }

    /// The tree of `file`. May read and hash: only for a thread pool.
    ///
    /// - Throws: What ``ChunkHashSource/storedLayer()`` throws, or ``ContentError`` with `.proofMismatch` if the stored layer is not that of the file.
    func prover(for file: HostedFile) throws -> TreeProver {
        let hash = file.descriptor.contentHash
        let cached = self.state.withLock { state -> TreeProver? in
            guard let prover = state.provers.removeValue(forKey: hash) else { return nil }
            state.provers[hash] = prover
            return prover
        }
        if let cached { return cached }

        let prover = TreeProver(try file.hashes.storedLayer())
        guard prover.geometry.fileSize == file.descriptor.size, prover.root == file.descriptor.root else {
            throw ContentError(.proofMismatch, "the stored hashes are not those of \(hash)")
        }
        self.state.withLock { state in
            guard Self.byteCount(of: prover) <= self.capacity, state.provers.updateValue(prover, forKey: hash) == nil else { return }
            state.byteCount += Self.byteCount(of: prover)
            while state.byteCount > self.capacity, !state.provers.isEmpty {
                state.byteCount -= Self.byteCount(of: state.provers.removeFirst().value)
            }
        }
        return prover
    }

    /// The stored layer and about as much again above it.
    private static func byteCount(of prover: TreeProver) -> Int {
        (prover.layer(prover.lowestLayer)?.rawBytes.count ?? 0) * 2 + 256
    }
}
