import DIGContent
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGTransfer

@Suite("folder download")
struct FolderDownloadTests {
    func folder(_ files: [(String, SharedFile)], provider: TestProvider) throws -> FolderListing {
        let listing = try FolderListing(entries: files.map { FolderListing.Entry(path: try SafePath($0.0), descriptor: $0.1.descriptor) })
        for (_, file) in files { try provider.add(file) }
        provider.state.withLock {
            $0.contents[listing.contentHash] = .folder(HostedFolder(contentHash: listing.contentHash, listing: listing.encoded))
        }
        return listing
    }

    func download(_ hash: ContentHash, in directory: ScratchDirectory, store: any TransferStore = MemoryTransferStore()) throws -> FolderDownload {
        var options = DownloadOptions()
        options.scheduling.holderTimeout = .milliseconds(500)
        options.progressInterval = .milliseconds(5)
        return FolderDownload(
            hash, to: try DownloadDestination(directory: directory.path, name: "folder"), options: options, store: store,
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), threadPool: .singleton, logger: Logger(label: "folder"))
    }

    @Test("fetches files of all sizes, in folders, over one stream")
    func fetches() async throws {
        let provider = TestProvider()
        let files = try [
            ("a.txt", SharedFile(byteCount: 10, seed: 1)), ("empty", SharedFile(byteCount: 0, seed: 2)), ("sub/b.bin", SharedFile(byteCount: 3_000_000, seed: 3)),
            ("sub/deeper/c", SharedFile(byteCount: 65_536, seed: 4)), ("same as a", SharedFile(byteCount: 10, seed: 1)),
        ]
        let listing = try self.folder(files, provider: provider)
        let directory = try ScratchDirectory()
        let download = try self.download(listing.contentHash, in: directory)
        let connection = try await LoopbackConnection.toHost(provider)
        download.add(connection)
        async let running = download.run()
        var last: TransferProgress?
        for await progress in download.progress {
            #expect(progress.fraction >= last?.fraction ?? 0)
            last = progress
        }
        let result = try await running
        #expect(last?.fraction == 1)
        #expect(last?.finishedFileCount == 5)
        for (path, file) in files { #expect(directory.bytes("folder/" + path) == file.bytes, "\(path)") }
        #expect(connection.streamCount == 1)
        #expect(result.peers.reduce(0) { $0 + $1.verifiedByteCount } == listing.totalByteCount)

        let again = try self.download(listing.contentHash, in: directory)
        again.add(try await LoopbackConnection.toHost(provider))
        #expect(try await again.run().presentFileCount == 5)
    }

    @Test("1,000 files of 10 KiB go through one connection")
    func manySmall() async throws {
        let provider = TestProvider()
        let files = try (0..<1000).map { ("dir \($0 % 10)/file \($0)", try SharedFile(byteCount: 10_240, seed: UInt64($0))) }
        let listing = try self.folder(files, provider: provider)
        let directory = try ScratchDirectory()
        let download = try self.download(listing.contentHash, in: directory)
        let connection = try await LoopbackConnection.toHost(provider)
        download.add(connection)
        let result = try await download.run()
        #expect(result.listing.entries.count == 1000)
        #expect(connection.streamCount == 1)
        for (path, file) in files { #expect(directory.bytes("folder/" + path) == file.bytes) }
        print("1,000 files of 10 KiB: \(result.duration)")
    }

    @Test("a lying listing is refused, and the next peer asked")
    func lyingListing() async throws {
        let provider = TestProvider()
        let listing = try self.folder([("a", SharedFile(byteCount: 10))], provider: provider)
        let liar = TestProvider()
        liar.state.withLock {
            $0.contents[listing.contentHash] = .folder(HostedFolder(contentHash: listing.contentHash, listing: Array(listing.encoded.dropLast()) + [0]))
        }
        let directory = try ScratchDirectory()
        let download = try self.download(listing.contentHash, in: directory)
        download.add(try await LoopbackConnection.toHost(liar))
        let error = await #expect(throws: TransferError.self) { try await download.run() }
        #expect(error?.code == .noHolders)
        #expect(error?.peers.map(\.error.code) == [.contentMismatch])
        #expect(directory.names.isEmpty)
    }

    @Test("a listing with a path that leaves the folder touches nothing")
    func hostileName() async throws {
        var bytes = Array("dig-folder-v1\0".utf8) + [0, 0, 0, 1]
        let path = Array("../../x".utf8)
        bytes += [0, UInt8(path.count)] + path + [UInt8](repeating: 0, count: 8) + [UInt8](repeating: 0, count: 32)
        let hash = ContentHash(digest: SHA256Digest(hashing: bytes))
        let provider = TestProvider()
        let hostile = bytes
        provider.state.withLock { $0.contents[hash] = .folder(HostedFolder(contentHash: hash, listing: hostile)) }
        let directory = try ScratchDirectory()
        let download = try self.download(hash, in: directory)
        download.add(try await LoopbackConnection.toHost(provider))
        let error = await #expect(throws: TransferError.self) { try await download.run() }
        #expect(error?.code == .unsafePath)
        #expect(directory.names.isEmpty)
    }

    @Test("a symbolic link in place of one of its folders is not followed")
    func symbolicLink() async throws {
        let provider = TestProvider()
        let listing = try self.folder([("sub/a", SharedFile(byteCount: 10))], provider: provider)
        let directory = try ScratchDirectory()
        let outside = try ScratchDirectory()
        try FileManager.default.createDirectory(atPath: directory.file("folder"), withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: directory.file("folder/sub"), withDestinationPath: outside.path)
        let download = try self.download(listing.contentHash, in: directory)
        download.add(try await LoopbackConnection.toHost(provider))
        let error = await #expect(throws: TransferError.self) { try await download.run() }
        #expect(error?.code == .unsafePath)
        #expect(outside.names.isEmpty)
    }

    @Test("says that it is a file, and the other way round")
    func wrongKind() async throws {
        let provider = TestProvider()
        let file = try SharedFile(byteCount: 10)
        let listing = try self.folder([("a", file)], provider: provider)
        let directory = try ScratchDirectory()
        let folder = try self.download(file.descriptor.contentHash, in: directory)
        folder.add(try await LoopbackConnection.toHost(provider))
        #expect(await #expect(throws: TransferError.self) { try await folder.run() }?.code == .isFile)
        let single = try FileDownload.test(listing.contentHash, in: directory)
        single.add(try await LoopbackConnection.toHost(provider))
        #expect(await single.failure()?.code == .isFolder)
    }
}
