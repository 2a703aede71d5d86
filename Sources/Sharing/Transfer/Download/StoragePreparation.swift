import DIGContent
import NIOCore
import NIOPosix

/// Opens the file that a download fills, on the thread pool.
struct StoragePreparation: Sendable {
    enum Outcome: Sendable {
        /// The destination has the content already.
        case present(path: String)
        /// `claimed`: chunks of which an earlier run left bytes. `hashes`: all of them, proven.
        case opened(PartFile, claimed: ChunkBitmap?, hashes: [SHA256Digest]?)
    }

    let descriptor: DIGContent.FileDescriptor
    let layout: ChunkLayout
    let destination: DownloadDestination
    let keepsFile: Bool
    let savedHashes: [UInt8]?
    let savedBitmap: ChunkBitmap?

    func run(on threadPool: NIOThreadPool) async throws -> Outcome {
        let (directory, existing) = try await threadPool.runIfActive {
            let directory = try DownloadDirectory(self.destination)
            return (directory, try directory.entry(named: self.destination.name))
        }
        if self.keepsFile { try await self.check(existing, in: directory) }
        if case .file(let size, _) = existing, size == self.descriptor.size, self.keepsFile {
            let path = directory.path(of: self.destination.name)
            // Whoever asked for it has it. A file that cannot be read is another file.
            if let hashed = try? await FileHasher().hash(fileAt: path), hashed.descriptor == self.descriptor { return .present(path: path) }
        }
        try Task.checkCancellation()
        if self.keepsFile, existing != .none, self.destination.existingFile == .fail {
            throw TransferError(.alreadyExists, "\(DisplayText.escaped(directory.path(of: self.destination.name))) exists and is another file: choose another name or move it away")
        }
        return try await threadPool.runIfActive { try self.open(in: directory) }
    }

    private func check(_ existing: DownloadDirectory.Entry, in directory: DownloadDirectory) async throws {
        let path = DisplayText.escaped(directory.path(of: self.destination.name))
        switch existing {
        case .none, .file: return
        case .symbolicLink: throw TransferError(.unsafePath, "a symbolic link is in the way of \(path): move it away or choose another name")
        case .other: throw TransferError(.alreadyExists, "\(path) is a directory or device: choose another name")
        }
    }

    private func open(in directory: DownloadDirectory) throws -> Outcome {
        let part = try PartFile(in: directory, name: self.destination.name, contentHash: self.descriptor.contentHash, size: self.descriptor.size)
        return .opened(part, claimed: part.existed ? try self.claimed(part) : nil, hashes: self.provenHashes())
    }

    /// Every chunk of which the file has bytes: a crash of the process loses nothing that was written, only the record of it.
    private func claimed(_ part: PartFile) throws -> ChunkBitmap {
        var bitmap = ChunkBitmap(count: self.layout.chunkCount)
        let unit = UInt64(self.layout.chunkByteCount)
        for extent in try part.dataExtents() where !extent.isEmpty {
            bitmap.insert(Int(extent.lowerBound / unit)..<Int((extent.upperBound + unit - 1) / unit))
        }
        // A file system that does not know holes claims everything: then the record says which chunks are worth reading.
        if bitmap.isComplete, let saved = self.savedBitmap, saved.count == bitmap.count { return saved }
        return bitmap
    }

    /// Saved hashes are as good as a stranger's: they count if they lead to the root.
    private func provenHashes() -> [SHA256Digest]? {
        guard let savedHashes = self.savedHashes,
            let layer = try? TreeLayer(fileSize: self.descriptor.size, layer: self.layout.treeLayer, rawBytes: savedHashes),
            layer.root() == self.descriptor.root
        else { return nil }
        let hashes = (0..<layer.nodeCount).compactMap { layer.node(at: $0) }
        return hashes.count == self.layout.chunkCount ? hashes : nil
    }
}
