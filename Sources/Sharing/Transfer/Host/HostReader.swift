import DIGContent
import NIOCore

/// Everything a host reads from disk. Every call blocks: only for a thread pool.
final class HostReader: Sendable {
    let files: OpenFileCache
    let provers: ProverCache
    /// Hashes below the stored layer, which cost reading and hashing the file, are made one answer at a time.
    let lowerLayers = SerialJobs(capacity: 1024)
    private let lowerLayerByteCount: Int

    init(configuration: TransferHostConfiguration) {
        self.files = OpenFileCache(capacity: configuration.openFileCount)
        self.provers = ProverCache(byteCapacity: configuration.hashCacheByteCount)
        self.lowerLayerByteCount = configuration.lowerLayerByteCount
    }

    /// Reads consecutive chunks as finished frames, header and body one after the other, so that each frame is written without a copy.
    ///
    /// - Parameters:
    ///   - chunks: Inside the file; at least one.
    ///   - buffer: Overwritten. Its memory is used again if nobody else holds it.
    func readFrames(of file: HostedFile, layout: ChunkLayout, chunks: Range<Int>, handle: UInt32, into buffer: inout ByteBuffer) throws(FileReadError) {
        let reader = try self.reader(for: file)
        do throws(FileReadError) {
            buffer.clear(minimumCapacity: chunks.count * (TransferLimits.frameHeaderByteCount + layout.chunkByteCount))
            for chunk in chunks {
                let index = UInt32(truncatingIfNeeded: chunk)
                guard let bytes = layout.byteRange(of: ChunkIndex(index)) else { throw FileReadError.changed }
                let count = Int(bytes.upperBound - bytes.lowerBound)
                buffer.writeTransferFrameHeader(.chunk(handle: handle, index: index, byteCount: count))
                try Self.read(from: reader, count: count, at: bytes.lowerBound, into: &buffer)
            }
            try reader.checkUnchanged()
        } catch {
            if error.meansChanged { self.files.remove(path: file.path, stamp: file.stamp) }
            throw error
        }
    }

    /// - Throws: ``ContentError`` with `.geometryMismatch`, ``FileReadError``, or what the source of the stored hashes throws.
    func hashes(of file: HostedFile, request: HashRequest) throws -> HashSegment {
        let prover = try self.provers.prover(for: file)
        guard request.layer < prover.lowestLayer else {
            return try prover.segment(layer: request.layer, index: request.index, count: request.count, proofLayers: request.proofLayers)
        }
        let segment = try LowerLayerSegment(request, prover: prover, byteLimit: self.lowerLayerByteCount)
        let reader = try self.reader(for: file)
        do throws(FileReadError) {
            let made = try segment.make { (bytes, offset) throws(FileReadError) in try reader.read(into: bytes, at: offset) }
            try reader.checkUnchanged()
            return made
        } catch {
            if error.meansChanged { self.files.remove(path: file.path, stamp: file.stamp) }
            throw error
        }
    }

    /// Reads a block and what is needed to prove it.
    func proof(of block: Int, in file: HostedFile) throws -> BlockProof {
        let prover = try self.provers.prover(for: file)
        let range = try BlockProof.requiredBytes(block: block, geometry: prover.geometry, lowestLayer: prover.lowestLayer)
        let reader = try self.reader(for: file)
        var buffer = ByteBuffer()
        do throws(FileReadError) {
            try Self.read(from: reader, count: Int(range.upperBound - range.lowerBound), at: range.lowerBound, into: &buffer)
            try reader.checkUnchanged()
        } catch {
            if error.meansChanged { self.files.remove(path: file.path, stamp: file.stamp) }
            throw error
        }
        return try buffer.withUnsafeReadableBytes { try BlockProof(block: block, bytes: $0, prover: prover) }
    }

    private func reader(for file: HostedFile) throws(FileReadError) -> FileReader {
        do throws(FileReadError) {
            return try self.files.reader(path: file.path, stamp: file.stamp)
        } catch {
            guard error == .missing, let destination = file.destination else { throw error }
            do throws(FileReadError) {
                return try self.files.reader(path: destination.path, stamp: nil, inode: destination.inode)
            } catch .changed {
                // Something else lies there.
                throw .missing
            } catch {
                throw error
            }
        }
    }

    private static func read(from reader: FileReader, count: Int, at offset: UInt64, into buffer: inout ByteBuffer) throws(FileReadError) {
        var failure: FileReadError?
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
            do throws(FileReadError) {
                try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: space[0..<count]), at: offset)
                return count
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
    }
}
