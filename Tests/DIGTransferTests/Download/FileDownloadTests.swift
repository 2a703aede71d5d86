import DIGContent
import DIGNet
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGTransfer

@Suite("file download")
struct FileDownloadTests {
    func provider(_ file: SharedFile, availability: any ChunkAvailability = CompleteAvailability()) throws -> TestProvider {
        let provider = TestProvider()
        try provider.add(file, availability: availability)
        return provider
    }

    @Test(
        "fetches files of every size class",
        arguments: [0, 1, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 131_072, 1_048_576, 1_048_577, 5_000_000])
    func sizes(byteCount: Int) async throws {
        let file = try SharedFile(byteCount: byteCount)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory)
        download.add(try await LoopbackConnection.toHost(self.provider(file)))
        let result = try await download.run()
        #expect(directory.bytes("copy") == file.bytes)
        #expect(directory.names == ["copy"])
        #expect(result.descriptor == file.descriptor)
        #expect(result.path == directory.file("copy"))
        #expect(result.peers.reduce(0) { $0 + $1.verifiedByteCount } == UInt64(byteCount))
        #expect(!result.wasPresent)
    }

    @Test("fetches any chunk size a host chooses", arguments: 0...6)
    func layers(layer: Int) async throws {
        let file = try SharedFile(byteCount: 3_333_333, chunkLayer: layer)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory)
        download.add(try await LoopbackConnection.toHost(self.provider(file)))
        _ = try await download.run()
        #expect(directory.bytes("copy") == file.bytes)
    }

    @Test("fetches in the chunk size the receiver chooses, whichever the host stores", arguments: 0...6, [false, true])
    func chosenLayers(layer: Int, knowsDescriptor: Bool) async throws {
        let file = try SharedFile(byteCount: 3_333_333)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, descriptor: knowsDescriptor ? file.descriptor : nil, in: directory) {
            $0.chunkByteCount = 16_384 << layer
        }
        download.add(try await LoopbackConnection.toHost(self.provider(file)))
        _ = try await download.run()
        let isSame = directory.bytes("copy") == file.bytes
        #expect(isSame)
        #expect(await download.verifiedChunks.count == (3_333_333 + (16_384 << layer) - 1) / (16_384 << layer))
    }

    @Test("a chunk size that does not exist, or cuts the file too small, is an error before anybody is asked", arguments: [0, 1, -65_536, 65_535, 8192, 2 << 20, .max])
    func wrongChunkSize(byteCount: Int) async throws {
        let directory = try ScratchDirectory()
        let file = try SharedFile(byteCount: 10)
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory) { $0.chunkByteCount = byteCount }
        #expect(await download.failure()?.code == .invalidOption)
        let large = try DIGContent.FileDescriptor(size: 17 << 30, root: .zero)
        let many = try FileDownload.test(large.contentHash, descriptor: large, in: directory) { $0.chunkByteCount = 16_384 }
        #expect(await many.failure()?.code == .tooLarge)
        #expect(directory.names.isEmpty)
    }

    @Test("a run in other chunks goes on with what is verified", arguments: [(2, 0), (2, 3), (0, 6), (6, 0), (3, 2)])
    func resumeInOtherChunks(before: Int, after: Int) async throws {
        let byteCount = 6_000_000
        let file = try SharedFile(byteCount: byteCount)
        let directory = try ScratchDirectory()
        let store = MemoryTransferStore()
        let provider = try self.provider(file)
        let first = try FileDownload.test(file.descriptor.contentHash, in: directory, store: store) { $0.chunkByteCount = 16_384 << before }
        first.add(try await LoopbackConnection.toHost(provider, bytesPerSecond: 8_000_000))
        let running = Task { try await first.run() }
        for await progress in first.progress where progress.verifiedByteCount > 3_000_000 { break }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }

        let second = try FileDownload.test(file.descriptor.contentHash, in: directory, store: store) { $0.chunkByteCount = 16_384 << after }
        second.add(try await LoopbackConnection.toHost(provider))
        let result = try await second.run()
        let isSame = directory.bytes("copy") == file.bytes
        #expect(isSame)
        // What does not fill a chunk of the other size is fetched again.
        #expect(result.resumedByteCount >= 2_000_000)
        #expect(result.resumedByteCount + result.peers.reduce(0) { $0 + $1.verifiedByteCount } == UInt64(byteCount))
        #expect(store.count == 0)
    }

    @Test("with the descriptor from a link, and a session on another event loop")
    func descriptorKnown() async throws {
        let file = try SharedFile(byteCount: 2_000_000)
        let directory = try ScratchDirectory()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let download = try FileDownload.test(file.descriptor.contentHash, descriptor: file.descriptor, in: directory, eventLoop: group.next())
        download.add(try await LoopbackConnection.toHost(self.provider(file), eventLoop: group.next()))
        _ = try await download.run()
        #expect(directory.bytes("copy") == file.bytes)
        try await group.shutdownGracefully()
    }

    @Test("fetches from several holders at once, complete and partial")
    func several() async throws {
        let file = try SharedFile(byteCount: 12_000_000)
        let count = (12_000_000 + 65_535) / 65_536
        var held = ChunkBitmap(count: count)
        held.insert(20..<120)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory)
        let connections = [
            try await LoopbackConnection.toHost(self.provider(file), bytesPerSecond: 4_000_000),
            try await LoopbackConnection.toHost(self.provider(file), bytesPerSecond: 4_000_000),
            try await LoopbackConnection.toHost(self.provider(file, availability: PartialAvailability(held)), bytesPerSecond: 4_000_000),
        ]
        for connection in connections { download.add(connection) }
        let result = try await download.run()
        #expect(directory.bytes("copy") == file.bytes)
        for connection in connections {
            #expect(result.peers.first { $0.peer == connection.remotePeer }?.verifiedByteCount ?? 0 > 0)
        }
        #expect(result.peers.reduce(0) { $0 + $1.verifiedByteCount } == 12_000_000)
    }

    @Test("goes on when a holder is lost in the middle, and with one that joins")
    func lostHolder() async throws {
        let file = try SharedFile(byteCount: 8_000_000)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory) { $0.scheduling.holderTimeout = .seconds(20) }
        let first = try await LoopbackConnection.toHost(self.provider(file), bytesPerSecond: 3_000_000)
        let second = try await LoopbackConnection.toHost(self.provider(file))
        download.add(first)
        async let running = download.run()
        for await progress in download.progress where progress.verifiedByteCount > 1_000_000 { break }
        await first.cut()
        download.add(second)
        let result = try await running
        #expect(directory.bytes("copy") == file.bytes)
        #expect(result.peers.count == 2)
        #expect(result.failures.map(\.error.code) == [.disconnected])
    }

    @Test("reports progress that never falls and ends at exactly 1")
    func progress() async throws {
        let file = try SharedFile(byteCount: 3_000_000)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory)
        download.add(try await LoopbackConnection.toHost(self.provider(file), bytesPerSecond: 6_000_000))
        async let result = download.run()
        var fractions: [Double] = []
        var last: TransferProgress?
        for await progress in download.progress {
            fractions.append(progress.fraction)
            last = progress
        }
        _ = try await result
        #expect(fractions == fractions.sorted())
        #expect(fractions.last == 1)
        #expect(fractions.dropLast().allSatisfy { $0 < 1 })
        #expect(fractions.count > 3)
        #expect(last?.verifiedByteCount == 3_000_000)
        #expect(last?.totalByteCount == 3_000_000)
        #expect(last?.peers.count == 1)
    }

    @Test("keeps what is verified when it is cancelled, and fetches only the rest next time")
    func cancelAndResume() async throws {
        let file = try SharedFile(byteCount: 6_000_000)
        let directory = try ScratchDirectory()
        let store = MemoryTransferStore()
        let provider = try self.provider(file)
        let first = try FileDownload.test(file.descriptor.contentHash, in: directory, store: store)
        first.add(try await LoopbackConnection.toHost(provider, bytesPerSecond: 4_000_000))
        let running = Task { try await first.run() }
        for await progress in first.progress where progress.verifiedByteCount > 2_000_000 { break }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        #expect(store.count == 1)
        #expect(directory.names.count == 1 && directory.names[0].hasSuffix(".part"))

        let second = try FileDownload.test(file.descriptor.contentHash, in: directory, store: store)
        second.add(try await LoopbackConnection.toHost(provider))
        let result = try await second.run()
        #expect(directory.bytes("copy") == file.bytes)
        #expect(result.resumedByteCount >= 2_000_000)
        #expect(result.resumedByteCount + result.peers.reduce(0) { $0 + $1.verifiedByteCount } == 6_000_000)
        #expect(store.count == 0)
        #expect(directory.names == ["copy"])
    }

    @Test("finds what a killed run left even without its record, and trusts no byte of it")
    func resumeWithoutRecord() async throws {
        let file = try SharedFile(byteCount: 3_000_000)
        let directory = try ScratchDirectory()
        let name = PartFile.partName(for: "copy", contentHash: file.descriptor.contentHash)
        // Half is right, with one bit wrong; the rest was never written.
        var left = Array(file.bytes[..<1_500_000])
        left[700_000] ^= 1
        try directory.write(left, to: name)
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory)
        download.add(try await LoopbackConnection.toHost(self.provider(file)))
        let result = try await download.run()
        #expect(directory.bytes("copy") == file.bytes)
        // 22 whole chunks, one of them damaged.
        #expect(result.resumedByteCount == 21 * 65_536)
    }

    @Test("a record that is wrong in every way does no harm")
    func wrongRecord() async throws {
        let file = try SharedFile(byteCount: 1_000_000)
        let other = try SharedFile(byteCount: 900_000, seed: 9)
        let directory = try ScratchDirectory()
        let store = MemoryTransferStore()
        let destination = directory.path + "/copy"
        var all = ChunkBitmap(count: 16)
        all.insert(0..<16)
        for saved in [
            SavedTransfer(descriptor: file.descriptor, chunkLayer: 2, destination: destination, verified: all, chunkHashes: [1, 2, 3]),
            SavedTransfer(descriptor: file.descriptor, chunkLayer: 99, destination: destination, verified: all),
            SavedTransfer(descriptor: file.descriptor, chunkLayer: 2, destination: destination, verified: ChunkBitmap(count: 5, isComplete: true), chunkHashes: other.layer.rawBytes),
        ] {
            try await store.save(saved)
            let download = try FileDownload.test(file.descriptor.contentHash, in: directory, store: store)
            download.add(try await LoopbackConnection.toHost(self.provider(file)))
            _ = try await download.run()
            #expect(directory.bytes("copy") == file.bytes)
            try FileManager.default.removeItem(atPath: directory.file("copy"))
        }
    }

    @Test("what is there already is not fetched again")
    func present() async throws {
        let file = try SharedFile(byteCount: 300_000)
        let directory = try ScratchDirectory()
        try directory.write(file.bytes, to: "copy")
        let download = try FileDownload.test(file.descriptor.contentHash, descriptor: file.descriptor, in: directory)
        let result = try await download.run()
        #expect(result.wasPresent)
        #expect(directory.names == ["copy"])
    }

    @Test("another file of that name is left alone, before a byte is fetched")
    func occupied() async throws {
        let file = try SharedFile(byteCount: 300_000)
        let directory = try ScratchDirectory()
        try directory.write([1, 2, 3], to: "copy")
        let download = try FileDownload.test(file.descriptor.contentHash, descriptor: file.descriptor, in: directory)
        #expect(await download.failure()?.code == .alreadyExists)
        #expect(directory.bytes("copy") == [1, 2, 3])
        let both = try FileDownload.test(file.descriptor.contentHash, in: directory, policy: .keepBoth)
        both.add(try await LoopbackConnection.toHost(self.provider(file)))
        #expect(try await both.run().path == directory.file("copy (2)"))
        let replacing = try FileDownload.test(file.descriptor.contentHash, in: directory, policy: .replace)
        replacing.add(try await LoopbackConnection.toHost(self.provider(file)))
        _ = try await replacing.run()
        #expect(directory.bytes("copy") == file.bytes)
        #expect(directory.bytes("copy (2)") == file.bytes)
    }

    @Test("nobody to fetch from: says so, with each peer's reason")
    func noHolders() async throws {
        let file = try SharedFile(byteCount: 300_000)
        let directory = try ScratchDirectory()
        let alone = try FileDownload.test(file.descriptor.contentHash, in: directory)
        #expect(await alone.failure()?.code == .noHolders)
        let asking = try FileDownload.test(file.descriptor.contentHash, in: directory)
        asking.add(try await LoopbackConnection.toHost(TestProvider()))
        let error = await asking.failure()
        #expect(error?.code == .noHolders)
        #expect(error?.peers.map(\.error.code) == [.notFound])
        #expect(directory.names.isEmpty)
    }

    @Test("two downloads of one file into one place do not mix")
    func inUse() async throws {
        let file = try SharedFile(byteCount: 3_000_000)
        let directory = try ScratchDirectory()
        let first = try FileDownload.test(file.descriptor.contentHash, in: directory)
        first.add(try await LoopbackConnection.toHost(self.provider(file), bytesPerSecond: 4_000_000))
        async let running = first.run()
        for await progress in first.progress where progress.verifiedByteCount > 0 { break }
        let second = try FileDownload.test(file.descriptor.contentHash, descriptor: file.descriptor, in: directory)
        #expect(await second.failure()?.code == .inUse)
        _ = try await running
        #expect(directory.bytes("copy") == file.bytes)
    }

    @Test("checks the plain SHA-256 that was demanded before the file gets its name")
    func sha256() async throws {
        let file = try SharedFile(byteCount: 500_000)
        let directory = try ScratchDirectory()
        let right = try FileDownload.test(file.descriptor.contentHash, in: directory) { $0.sha256 = SHA256Digest(hashing: file.bytes) }
        right.add(try await LoopbackConnection.toHost(self.provider(file)))
        #expect(try await right.run().sha256 == SHA256Digest(hashing: file.bytes))
        let wrong = try FileDownload.test(file.descriptor.contentHash, in: directory, name: "other") {
            $0.sha256 = SHA256Digest(hashing: [1])
            $0.sha256Source = "12D3Signer"
        }
        wrong.add(try await LoopbackConnection.toHost(self.provider(file)))
        let error = await wrong.failure()
        #expect(error?.code == .bindingMismatch)
        #expect(error?.message.contains("12D3Signer") == true)
        #expect(directory.names == ["copy"])
    }

    @Test("serves others what it has while it downloads")
    func servesWhileDownloading() async throws {
        let file = try SharedFile(byteCount: 6_000_000)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory)
        download.add(try await LoopbackConnection.toHost(self.provider(file), bytesPerSecond: 4_000_000))
        async let first = download.run()
        for await progress in download.progress where progress.verifiedByteCount > 500_000 { break }
        let chunks = await download.verifiedChunks
        #expect((1..<chunks.count).contains(chunks.setCount))
        let relay = TestProvider()
        relay.state.withLock { $0.downloads[file.descriptor.contentHash] = download }
        let second = try FileDownload.test(file.descriptor.contentHash, in: directory, name: "second") { $0.scheduling.holderTimeout = .seconds(20) }
        second.add(try await LoopbackConnection.toHost(relay))
        _ = try await second.run()
        _ = try await first
        #expect(directory.bytes("second") == file.bytes)
        #expect(directory.bytes("copy") == file.bytes)
    }

    @Test("who opened it while it was downloading is served after it got its name, too")
    func servesAcrossTheEnd() async throws {
        let file = try SharedFile(byteCount: 1_000_000)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory)
        let relay = try await HostFixture()
        async let first = download.run()
        download.add(try await LoopbackConnection.toHost(self.provider(file), bytesPerSecond: 2_000_000))
        for await progress in download.progress where progress.verifiedByteCount > 0 { break }
        let content = try #require(await download.hostedContent())
        relay.provider.state.withLock { $0.contents[file.descriptor.contentHash] = content }
        _ = try await relay.describe(file.descriptor.contentHash)
        _ = try await first
        // Nothing has been read, so nothing was open when the file moved.
        #expect(relay.host.openedFileCount == 0)
        try await relay.send(.getChunks(ControlCodecTests.range(0, 16)))
        let isSame = try await relay.chunks(16).flatMap(\.bytes) == file.bytes
        #expect(isSame)
    }

    @Test("memory for received bytes is bounded by the configured buffers")
    func boundedBuffers() async throws {
        let file = try SharedFile(byteCount: 20_000_000)
        let directory = try ScratchDirectory()
        let pool = ChunkSlabPool(byteCount: 2 << 20)
        let download = FileDownload(
            file.descriptor.contentHash, descriptor: nil, to: try DownloadDestination(directory: directory.path, name: "copy"), options: DownloadOptions(),
            store: MemoryTransferStore(), limiter: nil, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), threadPool: .singleton, pool: pool,
            logger: Logger(label: "download"))
        for _ in 0..<3 { download.add(try await LoopbackConnection.toHost(self.provider(file))) }
        _ = try await download.run()
        #expect(directory.bytes("copy") == file.bytes)
        #expect(pool.allocatedCount <= 5)
    }

    @Test("a limiter holds the rate")
    func limited() async throws {
        let file = try SharedFile(byteCount: 1_000_000)
        let directory = try ScratchDirectory()
        let download = FileDownload(
            file.descriptor.contentHash, to: try DownloadDestination(directory: directory.path, name: "copy"), store: MemoryTransferStore(),
            limiter: RateLimiter(bytesPerSecond: 2_000_000, burstByteCount: 100_000), eventLoop: MultiThreadedEventLoopGroup.singleton.next(), threadPool: .singleton,
            logger: Logger(label: "download"))
        download.add(try await LoopbackConnection.toHost(self.provider(file)))
        let result = try await download.run()
        #expect(result.duration > .milliseconds(300))
        #expect(directory.bytes("copy") == file.bytes)
    }
}
